using System.Diagnostics;
using Carina.Grains.Agents;
using Carina.Harness.Cluster;
using Carina.Harness.Data;
using Carina.Harness.Kubernetes;
using Carina.Harness.Processes;
using Carina.RecordWriter;
using Carina.Silo.Fencing;
using Carina.Silo.Fencing.Guard;
using Carina.Silo.Fencing.Leases;

namespace Carina.Silo.Tests.Fencing.Guard;

/// <summary>The real guard process, a real volume in a file and a process that writes to it; the silo is the test.</summary>
[Collection(FileNodeCollection.Name)]
public sealed class GuardProcessTests : IAsyncLifetime
{
    private const string NodeName = "guarded-node";
    private static readonly BootClock _clock = new();
    private readonly List<SiloProcess> _guards = [];
    private FencedNode _node = null!;
    private SiloOptions _options = null!;
    private DeadlineFile _file = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _node = await FileNode.MakeAsync();
        await _node.CreateAsync();
        _options = new SiloOptions
        {
            NodeName = NodeName,
            StateDirectory = _node.Host.Combine("state"),
            RunDirectory = _node.Host.Combine("run"),
            PathRoots = _node.Kubelet,
        };
        _file = new DeadlineFile(GuardProcess.DeadlineFileOf(_options));
        await new GuardedVolumes(_options.GuardFile).AddAsync(_node.Key, Stop);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var guard in _guards)
            await guard.DisposeAsync();

        await _node.DisposeAsync();
    }

    [Theory]
    [InlineData("ext4", WritingWay.Direct)]
    [InlineData("xfs", WritingWay.Buffered)]
    [InlineData("block", WritingWay.Mapped)]
    public async Task When_the_silo_is_silent_nothing_is_acknowledged_later_than_the_lease_lasts(string fileSystem, WritingWay way)
    {
        using var writer = await StartWriterAsync(fileSystem, way);
        Tell(5);
        var guard = StartGuard();
        for (var round = 0; round < 6; round++)
        {
            await Task.Delay(TimeSpan.FromSeconds(1), Stop);
            Tell(5);
        }

        // That was the last renewal, as of a silo that is stopped. It gives five of the eleven seconds of a real one.
        var renewed = Stopwatch.GetTimestamp();
        Assert.True(writer.IsAlive);
        Assert.Equal(0, writer.Failures);
        await writer.WaitForEndOfSuccessAsync();
        await writer.StopAsync();
        var last = Stopwatch.GetElapsedTime(renewed, writer.Acknowledged.Max(record => record.Acknowledged));
        TestContext.Current.SendDiagnosticMessage($"{fileSystem} {way}: the last record was acknowledged {last.TotalSeconds:F2} s after the last renewal");
        Assert.InRange(last.TotalSeconds, 5, 9);

        // The silo, when it goes on, finds it.
        var fenced = new FencedVolumes(_options.FenceFile, TimeProvider.System);
        Assert.NotNull(fenced.FindRefusal(_node.Key));
        Assert.False(guard.HasExited);
    }

    [Fact]
    public async Task A_silo_that_stops_as_planned_ends_the_guard_without_harm()
    {
        using var writer = await StartWriterAsync("ext4", WritingWay.Direct);
        Tell(11);
        var guard = StartGuard();
        await WaitForLogAsync(guard, "Watches whether");

        // The kubelet ends both at the same time, and the silo needs its time.
        var end = guard.StopAsync(Stop);
        await Task.Delay(TimeSpan.FromSeconds(2), Stop);
        Assert.False(guard.HasExited);
        Tell(0, guarded: false);
        Assert.True(await end);
        Assert.Equal(0, guard.ExitCode);
        await AssertUnharmedAsync(writer);
    }

    [Fact]
    public async Task A_guard_that_starts_late_acts_at_once_and_one_of_an_earlier_boot_not_at_all()
    {
        using var writer = await StartWriterAsync("ext4", WritingWay.Direct);
        _file.Write(new LeaseDeadline("another boot", "silo", Guarded: true, At: 0));
        var guard = StartGuard();
        await WaitForLogAsync(guard, "Watches whether");
        await Task.Delay(TimeSpan.FromSeconds(2), Stop);
        await AssertUnharmedAsync(writer);
        await guard.KillAsync(Stop);

        Tell(-100);
        await Task.Delay(TimeSpan.FromSeconds(1), Stop);
        await AssertUnharmedAsync(writer);
        StartGuard();
        await writer.WaitForEndOfSuccessAsync();
    }

    [Fact]
    public async Task The_silo_sees_it_live_and_that_it_was_killed()
    {
        Tell(60);
        var sight = new GuardSight(new GuardFiles(_options.OwnRunDirectory), _file, _clock);
        Assert.Equal(LeaseGuard.Silo, sight.Look());
        var guard = StartGuard();
        await Eventually.ReadAsync("a sign of life", () => Task.FromResult(sight.Look()), guards => guards == LeaseGuard.Process, Stop);
        await guard.KillAsync(Stop);
        Assert.Equal(LeaseGuard.Silo, sight.Look());
    }

    [Fact]
    public async Task It_is_small()
    {
        Tell(60);
        var guard = StartGuard();
        await WaitForLogAsync(guard, "Watches whether");
        await Task.Delay(TimeSpan.FromSeconds(2), Stop);
        using var process = Process.GetProcessById(guard.Id);
        var loaded = (await File.ReadAllLinesAsync($"/proc/{guard.Id}/maps", Stop)).Select(line => Path.GetFileName(line.Split(' ')[^1])).ToHashSet();
        TestContext.Current.SendDiagnosticMessage($"The guard process has {process.WorkingSet64 >> 20} MiB");
        Assert.DoesNotContain("Orleans.Runtime.dll", loaded);
        Assert.DoesNotContain("Microsoft.AspNetCore.Server.Kestrel.Core.dll", loaded);
        Assert.InRange(process.WorkingSet64 >> 20, 1, 90);
    }

    private async Task<RecordingWriter> StartWriterAsync(string fileSystem, WritingWay way)
    {
        await _node.StageAsync(fileSystem);
        await _node.PublishAsync(fileSystem);
        var writer = RecordingWriter.Start(way, fileSystem == "block" ? _node.Target : _node.Target + "/records");
        await writer.WaitForAsync(50);
        return writer;
    }

    private SiloProcess StartGuard()
    {
        var guard = SiloProcess.Start(
            "guard",
            BuiltAssemblies.Silo,
            [
                "guard", "--node-name", NodeName, "--state-directory", _options.StateDirectory, "--run-directory", _options.RunDirectory,
                "--path-roots", _options.PathRoots,
            ],
            new Dictionary<string, string>(),
            _node.Host.Combine("guard.log"));
        _guards.Add(guard);
        return guard;
    }

    private void Tell(double secondsLeft, bool guarded = true) => _file.Write(new LeaseDeadline(
        _file.BootId, "silo", guarded, LeaseDeadline.ToNanoseconds(_clock.Elapsed + TimeSpan.FromSeconds(secondsLeft))));

    private static async Task WaitForLogAsync(SiloProcess process, string text)
    {
        for (var i = 0; i < 300 && !process.Tail(100).Contains(text, StringComparison.Ordinal); i++)
            await Task.Delay(100, Stop);

        Assert.Contains(text, process.Tail(100), StringComparison.Ordinal);
    }

    private static async Task AssertUnharmedAsync(RecordingWriter writer)
    {
        Assert.True(writer.IsAlive);
        Assert.Equal(0, writer.Failures);
        await writer.WaitForAsync(writer.Acknowledged.Count + 20);
    }
}
