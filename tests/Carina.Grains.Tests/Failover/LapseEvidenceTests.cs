using Carina.Grains.Failover;
using Carina.Grains.Volumes;

namespace Carina.Grains.Tests.Failover;

public sealed class LapseEvidenceTests
{
    private const string Old = "node-1";

    private static readonly ObservedLease _lapsed =
        new(TimeSpan.FromSeconds(16), TimeSpan.FromSeconds(15), Guarded: true, []) { HasGuardProcess = true };

    [Fact]
    public void A_lapsed_lease_of_a_node_that_guards_the_volume_is_evidence()
    {
        Assert.NotEmpty(Find(_lapsed).Evidence);
        Assert.NotEmpty(Find(_lapsed with { HasGuardProcess = false }).Evidence);
        AssertMissing(Find(_lapsed with { Silence = TimeSpan.FromSeconds(15.9) }));
        AssertMissing(Find(_lapsed with { Guarded = false }));
        AssertMissing(Find(null));
    }

    [Fact]
    public void Of_a_volume_that_was_not_guarded_it_is_none_while_a_pod_is_on_the_node()
    {
        AssertMissing(Find(_lapsed, record: Record() with { Guard = null }));
        AssertMissing(Find(_lapsed, record: Record() with { Guard = new(Old, 6, default) }));
        AssertMissing(Find(_lapsed, record: Record() with { Guard = new("node-2", 7, default) }));
        Assert.NotEmpty(Find(_lapsed, record: Record() with { Guard = null }, podNode: "").Evidence);
    }

    [Fact]
    public void With_hand_over_guarded_a_guard_process_must_have_been_there()
    {
        var options = new FailoverOptions { HandOver = HandOver.Guarded };
        Assert.NotEmpty(Find(_lapsed, options).Evidence);
        AssertMissing(Find(_lapsed with { HasGuardProcess = false }, options));
    }

    [Fact]
    public void With_hand_over_fenced_no_lapse_counts_unless_the_volume_s_own_parameter_says_so()
    {
        var options = new FailoverOptions { HandOver = HandOver.Fenced };
        AssertMissing(Find(_lapsed, options));
        AssertMissing(Find(_lapsed, options, podNode: ""));
        Assert.NotEmpty(Find(_lapsed, options, Record("lapsed")).Evidence);
        AssertMissing(Find(_lapsed, record: Record("fenced")));
        AssertMissing(Find(_lapsed with { HasGuardProcess = false }, record: Record("guarded")));
    }

    private static (string Evidence, string Missing) Find(
        ObservedLease? lease, FailoverOptions? options = null, VolumeRecord? record = null, string podNode = Old)
    {
        record ??= Record();
        var group = new VolumeGroup
        {
            Volumes = [record],
            Pods = [new("default", "pod", "uid", podNode, OptedIn: true, HasRun: false)],
            OptedIn = true,
        };
        return LapseEvidence.Find(record, group, new() { Name = Old, Ready = false, SiloLive = false, Lease = lease }, options ?? new());
    }

    private static void AssertMissing((string Evidence, string Missing) found)
    {
        Assert.Empty(found.Evidence);
        Assert.NotEmpty(found.Missing);
    }

    private static VolumeRecord Record(string handOver = "") => new()
    {
        VolumeId = "volume-1",
        Name = "pvc-1",
        State = VolumeState.Ready,
        NodeName = Old,
        Pool = "carina-vg-ssd",
        Policy = default,
        Bytes = 1,
        TargetBytes = 1,
        Generation = 7,
        Access = default,
        Parameters = new() { [CarinaNames.HandOver] = handOver },
        Guard = new(Old, 7, default),
        Move = new()
        {
            Id = "move",
            Cause = MoveCause.NodeLost,
            Phase = MovePhase.Fencing,
            From = new(Old, "carina-vg-ssd", 7, 1),
            StartedAt = default,
            PhaseSince = default,
        },
    };
}
