namespace Carina.Grains.Volumes;

/// <summary>
/// Names the steps between which a process may die. Does nothing; a test host replaces it by one that kills the process
/// for real, which is how crash safety is tested step by step.
/// </summary>
public interface ICrashPoints
{
    /// <summary>The step named <paramref name="point"/> has been reached for a volume.</summary>
    void Reached(string point, string volumeId);
}

/// <summary>The default: nothing happens.</summary>
public sealed class NoCrashPoints : ICrashPoints
{
    public void Reached(string point, string volumeId)
    {
    }
}
