using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Nodes;

namespace Carina.Grains.Tests.Nodes;

public sealed class NodeLedgerTests
{
    private static readonly DateTimeOffset _start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset _lapsed =
        _start + NodeLedger.ReservationTtl + NodeLedger.LapseGrace + TimeSpan.FromSeconds(1);

    private readonly NodeLedger _ledger = new("node1");
    private long _sequence;

    public NodeLedgerTests() => Report();

    [Fact]
    public void A_promise_is_rounded_up_to_the_granularity()
    {
        var result = Reserve("a", 5);
        Assert.Equal(ReservationOutcome.Reserved, result.Outcome);
        Assert.Equal(8, result.Bytes);
        Assert.Equal(92, _ledger.Available("pool"));
    }

    [Fact]
    public void Repeating_a_promise_takes_nothing_more()
    {
        Reserve("a", 8);
        Assert.Equal(8, Reserve("a", 8).Bytes);
        Assert.Equal(92, _ledger.Available("pool"));
    }

    [Theory]
    [InlineData(101, ReservationOutcome.NotEnough)]
    [InlineData(100, ReservationOutcome.Reserved)]
    [InlineData(long.MaxValue, ReservationOutcome.NotEnough)]
    [InlineData(long.MaxValue - 3, ReservationOutcome.NotEnough)]
    public void The_last_byte_can_be_promised_and_not_one_more(long bytes, ReservationOutcome outcome) =>
        Assert.Equal(outcome, Reserve("a", bytes).Outcome);

    [Fact]
    public void A_limit_below_the_rounded_size_is_refused() =>
        Assert.Equal(
            ReservationOutcome.OverLimit,
            _ledger.Reserve(new Reservation(new DiskVolumeKey("a", "pool", 1), 5, 6), _start).Outcome);

    [Fact]
    public void Foreign_and_reserved_bytes_are_never_promised()
    {
        Report(foreign: 30, reserve: 20);
        Assert.Equal(48, _ledger.Available("pool") / 4 * 4);
        Assert.Equal(ReservationOutcome.NotEnough, Reserve("a", 51).Outcome);
    }

    [Fact]
    public void What_others_took_makes_room_negative_but_breaks_no_promise()
    {
        Reserve("a", 80);
        Report(foreign: 50);
        Assert.True(_ledger.Available("pool") < 0);
        Assert.Equal(80, _ledger.Find("a")!.Bytes);
        Assert.Equal(0, _ledger.ToCapacity().Pools[0].AvailableBytes);
        Assert.Equal(ReservationOutcome.NotEnough, Reserve("b", 4).Outcome);
    }

    [Fact]
    public void An_unconfirmed_promise_lapses_only_after_a_report_that_shows_nothing_of_it()
    {
        Reserve("a", 8);
        Report(now: _start + NodeLedger.ReservationTtl);
        Assert.NotNull(_ledger.Find("a"));
        Report(now: _lapsed, inFlight: ["a"]);
        Assert.NotNull(_ledger.Find("a"));
        Report(now: _lapsed);
        Assert.Null(_ledger.Find("a"));
        Assert.Equal(100, _ledger.Available("pool"));
    }

    [Fact]
    public void A_lapsed_promise_whose_volume_is_on_disk_is_kept_at_the_size_on_disk()
    {
        Reserve("a", 8);
        Report(now: _lapsed, volumes: [Volume("a", 8)]);
        Assert.Equal(8, _ledger.Find("a")!.Bytes);
        Assert.Null(_ledger.Find("a")!.ExpiresAt);
    }

    [Fact]
    public void A_confirmed_promise_survives_a_disk_that_does_not_show_it()
    {
        Reserve("a", 8);
        _ledger.Confirm(new DiskVolumeKey("a", "pool", 1), 8);
        Report(now: _lapsed);
        Assert.Equal(8, _ledger.Find("a")!.Bytes);
        Assert.Contains("does not show", _ledger.Find("a")!.Problem, StringComparison.Ordinal);
        Report(now: _lapsed, volumes: [Volume("a", 8)]);
        Assert.Equal("", _ledger.Find("a")!.Problem);
    }

    [Fact]
    public void A_late_report_does_not_shrink_what_was_confirmed_since()
    {
        Reserve("a", 8);
        _ledger.Confirm(new DiskVolumeKey("a", "pool", 1), 16);
        Report(volumes: [Volume("a", 8)]);
        Assert.Equal(16, _ledger.Find("a")!.Bytes);
    }

    [Fact]
    public void An_expansion_that_lapsed_gives_back_what_the_disk_did_not_take()
    {
        Reserve("a", 8);
        _ledger.Confirm(new DiskVolumeKey("a", "pool", 1), 8);
        Reserve("a", 40);
        Assert.Equal(60, _ledger.Available("pool"));
        Report(now: _lapsed, volumes: [Volume("a", 8)]);
        Assert.Equal(92, _ledger.Available("pool"));
    }

    [Fact]
    public void Volumes_that_nothing_explains_are_counted_until_they_are_explained_or_gone()
    {
        Report(volumes: [Volume("x", 40)]);
        Assert.Equal(60, _ledger.Available("pool"));
        Assert.Equal("x", Assert.Single(_ledger.Unexplained).Volume.VolumeId);
        _ledger.Confirm(new DiskVolumeKey("x", "pool", 1), 40);
        Assert.Equal(60, _ledger.Available("pool"));
        Assert.Empty(_ledger.Unexplained);
    }

    [Fact]
    public void An_old_generation_on_disk_is_counted_beside_the_new_promise()
    {
        Report(volumes: [Volume("a", 8, generation: 1)]);
        Assert.Equal(ReservationOutcome.Reserved, Reserve("a", 8, generation: 2).Outcome);
        Assert.Equal(84, _ledger.Available("pool"));
        _ledger.Release("a", 1);
        Assert.Equal(92, _ledger.Available("pool"));
        Assert.Equal(2, _ledger.Find("a")!.Generation);
    }

    [Fact]
    public void An_older_generation_gets_no_promise_and_releases_nothing()
    {
        Reserve("a", 8, generation: 3);
        Assert.Equal(ReservationOutcome.StaleGeneration, Reserve("a", 8, generation: 2).Outcome);
        _ledger.Release("a", 2);
        Assert.NotNull(_ledger.Find("a"));
    }

    [Fact]
    public void Reports_out_of_order_are_not_believed()
    {
        Assert.False(_ledger.Apply(NewReport(sequence: 0, incarnation: 1), _start));
        Assert.False(_ledger.Apply(NewReport(sequence: 99, incarnation: 0), _start));
        Assert.True(_ledger.Apply(NewReport(sequence: 0, incarnation: 2), _start));
    }

    [Fact]
    public void A_pool_with_a_problem_takes_nothing_new_but_keeps_what_it_has()
    {
        Reserve("a", 8);
        Report(problem: "a disk is missing");
        Assert.Equal(ReservationOutcome.NotEnough, Reserve("b", 4).Outcome);
        Assert.Equal(ReservationOutcome.Reserved, Reserve("a", 8).Outcome);
        Assert.Equal(0, _ledger.ToCapacity().Pools[0].AvailableBytes);
    }

    [Fact]
    public void A_node_attaches_up_to_its_limit()
    {
        Reserve("a", 4);
        Reserve("b", 4);
        Assert.True(_ledger.TryAttach("a", 1));
        Assert.True(_ledger.TryAttach("a", 1));
        Assert.False(_ledger.TryAttach("b", 1));
        _ledger.Detach("a");
        Assert.True(_ledger.TryAttach("b", 1));
    }

    [Fact]
    public void A_stored_ledger_comes_back_the_same()
    {
        Reserve("a", 8);
        _ledger.Confirm(new DiskVolumeKey("a", "pool", 1), 8);
        Reserve("b", 12);
        var again = new NodeLedger(_ledger.ToRecord());
        Assert.Equal(_ledger.Available("pool"), again.Available("pool"));
        Assert.True(RecordComparer.Same(_ledger.ToRecord(), again.ToRecord()));
    }

    private static DiskVolume Volume(string id, long bytes, long generation = 1) =>
        new() { Key = new DiskVolumeKey(id, "pool", generation), Bytes = bytes, DevicePath = "/dev/x" };

    private ReservationResult Reserve(string volume, long bytes, long generation = 1) =>
        _ledger.Reserve(new Reservation(new DiskVolumeKey(volume, "pool", generation), bytes, 0), _start);

    [Fact]
    public void A_volume_of_old_counts_as_foreign_until_a_record_claims_it_and_once_at_any_time()
    {
        var old = new DiskVolume { Key = new("old", "pool", 1), Bytes = 24, DevicePath = "" };
        var report = NewReport(++_sequence, 1, foreign: 30);
        Assert.True(_ledger.Apply(report with { Pools = [report.Pools[0] with { Unclaimed = [old] }] }, _start));
        Assert.Equal(70, _ledger.Available("pool"));
        Assert.Equal("old", Assert.Single(_ledger.Unclaimed).Volume.VolumeId);

        _ledger.Confirm(new DiskVolumeKey("other", "pool", 1), 8);
        Assert.Equal(62, _ledger.Available("pool"));
        _ledger.Confirm(old.Key, 24);
        Assert.Equal(62, _ledger.Available("pool"));
        Assert.Empty(_ledger.Unclaimed);

        Report(foreign: 6, volumes: [old, old with { Key = new("other", "pool", 1), Bytes = 8 }]);
        Assert.Equal(62, _ledger.Available("pool"));
    }

    private void Report(
        long foreign = 0,
        long reserve = 0,
        DateTimeOffset? now = null,
        DiskVolume[]? volumes = null,
        string[]? inFlight = null,
        string problem = "") =>
        Assert.True(_ledger.Apply(
            NewReport(++_sequence, 1, foreign, reserve, volumes, inFlight, problem), now ?? _start));

    private static NodeReport NewReport(
        long sequence,
        long incarnation,
        long foreign = 0,
        long reserve = 0,
        DiskVolume[]? volumes = null,
        string[]? inFlight = null,
        string problem = "") => new()
        {
            NodeName = "node1",
            Incarnation = incarnation,
            Sequence = sequence,
            InFlight = [.. inFlight ?? []],
            Pools =
            [
                new PoolReport
                {
                    Name = "pool",
                    Policy = PoolPolicy.Lvm,
                    SizeBytes = 100,
                    ForeignBytes = foreign,
                    ReserveBytes = reserve,
                    GranularityBytes = 4,
                    Volumes = [.. volumes ?? []],
                    Problem = problem,
                },
            ],
        };
}
