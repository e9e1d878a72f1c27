namespace Carina.Grains.Failover;

/// <summary>
/// <see cref="NodeAssessment.FindStorm"/> with a memory: a node that went on because most others could not reach the API
/// server either goes on for a while after they can again.
/// </summary>
internal sealed class StormBrake(TimeProvider time)
{
    /// <summary>Time for which a storm counts after it has ended: a node's deadline, and the time that a fence takes.</summary>
    public static readonly TimeSpan Memory = TimeSpan.FromSeconds(15);

    private string _last = "";
    private long _seen;

    /// <summary>Why nothing may be moved now; empty when it may.</summary>
    public string Find(IReadOnlyList<ObservedNode> nodes, FailoverOptions options)
    {
        var storm = NodeAssessment.FindStorm(nodes, options);
        if (storm.Length > 0)
        {
            (_last, _seen) = (storm, time.GetTimestamp());
        }
        else if (_last.Length > 0 && time.GetElapsedTime(_seen) >= Memory)
        {
            _last = "";
        }

        return _last;
    }
}
