using Carina.Silo.Failover;
using k8s.Models;
using Microsoft.Extensions.Time.Testing;

namespace Carina.Silo.Tests.Fencing.Leases;

public sealed class LeaseSightsTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly LeaseSights _sights;

    public LeaseSightsTests() => _sights = new(_time);

    [Fact]
    public void Silence_counts_from_the_first_sight_of_a_renewal_on_whatever_time_it_bears()
    {
        Assert.Equal(0, Look(renewal: 1));
        Assert.Equal(4, Look(renewal: 1, after: 4));
        Assert.Equal(8, Look(renewal: 1, after: 4));
        Assert.Equal(0, Look(renewal: 0, after: 4));
        Assert.Equal(3, Look(renewal: 0, after: 3));
    }

    [Fact]
    public void What_was_missed_while_the_API_server_was_silent_is_not_held_against_anybody()
    {
        Look(renewal: 1);
        Assert.Equal(0, Look(renewal: 1, after: 6));
        Assert.Equal(5, Look(renewal: 1, after: 5));
    }

    [Fact]
    public void A_late_answer_proves_silence_only_until_the_question()
    {
        Look(renewal: 1);
        Assert.Equal(1, Look(renewal: 1, after: 1, answeredAfter: 3));

        // Seen first when its answer came, though it may be as old as the question.
        Assert.Equal(0, Look(renewal: 2, after: 1, answeredAfter: 3));
        Assert.Equal(1, Look(renewal: 2, after: 1));
    }

    [Fact]
    public void One_that_was_gone_is_new()
    {
        Look(renewal: 1);
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Empty(_sights.Take([], _time.GetTimestamp()));
        Assert.Equal(0, Look(renewal: 1, after: 2));
    }

    /// <summary>Seconds of silence.</summary>
    private double Look(int renewal, double after = 0, double answeredAfter = 0)
    {
        _time.Advance(TimeSpan.FromSeconds(after));
        var asked = _time.GetTimestamp();
        _time.Advance(TimeSpan.FromSeconds(answeredAfter));
        var lease = new V1Lease
        {
            Metadata = new() { Uid = "uid" },
            Spec = new() { HolderIdentity = "node", RenewTime = DateTime.UnixEpoch.AddSeconds(renewal) },
        };
        return _sights.Take([("node", lease)], asked)["node"].Silence.TotalSeconds;
    }
}
