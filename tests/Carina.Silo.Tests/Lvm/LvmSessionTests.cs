using System.Collections.Concurrent;
using System.Diagnostics;
using Carina.Grains.Telemetry;
using Carina.Silo.Lvm;
using Carina.Silo.Tests.Linux;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Carina.Silo.Tests.Lvm;

/// <summary>The real lvm program, asked what needs no device-mapper.</summary>
public sealed class LvmSessionTests : IAsyncDisposable
{
    private static readonly LvmCommand _question = new("lvs", [.. LvmReport.VolumeOptions]);

    private readonly string _directory = Directory.CreateTempSubdirectory("carina-lvm-").FullName;
    private readonly FakeTimeProvider _clock = new();
    private readonly LvmSession _session;

    public LvmSessionTests() => _session = new LvmSession(
        "test",
        new LvmConfiguration(Path.Combine(_directory, "own"), restricted: true),
        new LvmOptions { IdleTime = TimeSpan.FromSeconds(20), CommandLimit = TimeSpan.FromSeconds(30) },
        _clock,
        NullLogger<LvmSession>.Instance);

    public async ValueTask DisposeAsync()
    {
        await _session.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Commands_share_a_process_that_ends_when_there_is_nothing_to_do()
    {
        Assert.Null(_session.ProcessId);
        Assert.True((await _session.RunAsync(_question, default)).Succeeded);
        var process = _session.ProcessId!.Value;
        _clock.Advance(TimeSpan.FromSeconds(19));
        Assert.True((await _session.RunAsync(_question, default)).Succeeded);
        Assert.Equal(process, _session.ProcessId);
        _clock.Advance(TimeSpan.FromSeconds(19));
        Assert.Equal(process, _session.ProcessId);

        _clock.Advance(TimeSpan.FromSeconds(1));
        await Eventually(() => _session.ProcessId is null && !Directory.Exists($"/proc/{process}"));
        Assert.True((await _session.RunAsync(_question, default)).Succeeded);
        Assert.NotEqual(process, _session.ProcessId);
    }

    [Fact]
    public async Task A_failure_is_an_answer_and_the_process_goes_on()
    {
        var wrong = await _session.RunAsync(new LvmCommand("nosuch"), default);
        Assert.Equal(2, wrong.ReturnCode);
        var group = await _session.RunAsync(new LvmCommand("lvs", "nosuch"), default);
        Assert.Equal(LvmErrorKind.GroupNotFound, group.ToException().Kind);
        Assert.Equal("Volume group \"nosuch\" not found Cannot process volume group nosuch", group.Complaint);
        var process = _session.ProcessId;
        Assert.True((await _session.RunAsync(_question, default)).Succeeded);
        Assert.Equal(process, _session.ProcessId);
    }

    [Fact]
    public async Task A_process_that_was_killed_is_told_and_replaced()
    {
        await _session.RunAsync(_question, default);
        var process = _session.ProcessId!.Value;
        Process.GetProcessById(process).Kill();
        var exception = await Assert.ThrowsAsync<LvmException>(() => _session.RunAsync(_question, default));
        Assert.Equal(LvmErrorKind.ProcessEnded, exception.Kind);
        Assert.Contains(_question.Line, exception.Message, StringComparison.Ordinal);
        Assert.True((await _session.RunAsync(_question, default)).Succeeded);
        Assert.NotEqual(process, _session.ProcessId);
    }

    [Fact]
    public async Task Concurrent_commands_take_turns_and_each_gets_its_own_answer()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i =>
            _session.RunAsync(new LvmCommand("lvs", $"group{i}"), default)));
        for (var i = 0; i < answers.Length; i++)
            Assert.Contains($"\"group{i}\"", answers[i].Complaint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_stops_waiting_does_not_disturb_the_command_or_the_next()
    {
        await _session.RunAsync(_question, default);
        var process = _session.ProcessId;
        for (var i = 0; i < 10; i++)
        {
            using var patience = new CancellationTokenSource();
            var running = _session.RunAsync(_question, patience.Token);
            var waiting = _session.RunAsync(new LvmCommand("lvs", "withdrawn"), patience.Token);
            await patience.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
            await running.ContinueWith(_ => { }, TaskScheduler.Default);
            Assert.True((await _session.RunAsync(_question, default)).Succeeded);
        }

        Assert.Equal(process, _session.ProcessId);
    }

    [Fact]
    public async Task A_command_that_waits_for_a_lock_too_long_was_not_begun()
    {
        await _session.RunAsync(_question, default);
        var process = _session.ProcessId!.Value;
        var group = "carina-test-" + Guid.NewGuid().ToString("N")[..8];
        var lockFile = $"/run/lock/lvm/V_{group}";
        await using (new FileStream(lockFile, FileMode.Create, FileAccess.ReadWrite, FileShare.None))
        {
            var asking = _session.RunAsync(new LvmCommand("lvs", group), default);
            await Eventually(() => File.ReadAllText("/proc/locks").Contains($" {process} ", StringComparison.Ordinal));
            _clock.Advance(TimeSpan.FromSeconds(30));
            var exception = await Assert.ThrowsAsync<LvmException>(() => asking);
            Assert.Equal(LvmErrorKind.Locked, exception.Kind);
            await Eventually(() => !Directory.Exists($"/proc/{process}"));
        }

        Assert.Equal(LvmErrorKind.GroupNotFound, (await _session.RunAsync(new LvmCommand("lvs", group), default)).ToException().Kind);
        File.Delete(lockFile);
    }

    [Fact]
    public async Task A_process_that_hangs_is_given_up_and_replaced()
    {
        await _session.RunAsync(_question, default);
        var process = _session.ProcessId!.Value;
        TestHost.Run("kill", "-STOP", $"{process}");
        var asking = _session.RunAsync(_question, default);
        var waiting = _session.RunAsync(_question, default);
        _clock.Advance(TimeSpan.FromSeconds(30));
        var exception = await Assert.ThrowsAsync<LvmException>(() => asking);
        Assert.Equal(LvmErrorKind.OutcomeUnknown, exception.Kind);
        Assert.Contains(_question.Line, exception.Message, StringComparison.Ordinal);
        Assert.True((await waiting).Succeeded);
        Assert.False(Directory.Exists($"/proc/{process}"));
    }

    [Fact]
    public async Task Each_command_is_a_span_of_its_callers_trace()
    {
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == CarinaTelemetry.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        using var caller = new Activity("caller").Start();
        await _session.RunAsync(new LvmCommand("lvs", "nosuch") { VolumeIds = ["volume-a", "volume-b"] }, default);

        var span = Assert.Single(spans, s => s.TraceId == caller.TraceId);
        Assert.Equal("lvm lvs", span.OperationName);
        Assert.Equal(caller.SpanId, span.ParentSpanId);
        Assert.Equal("lvm", span.GetTagItem("process.executable.name"));
        Assert.Equal("test", span.GetTagItem(CarinaTelemetry.PoolTag));
        Assert.Equal("volume-a,volume-b", span.GetTagItem(CarinaTelemetry.VolumeIdTag));
        Assert.Equal(ActivityStatusCode.Error, span.Status);
        Assert.Contains("nosuch", span.StatusDescription, StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_disposal_no_process_is_left_and_none_is_started()
    {
        await _session.RunAsync(_question, default);
        var process = _session.ProcessId!.Value;
        await _session.DisposeAsync();
        Assert.False(Directory.Exists($"/proc/{process}"));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => _session.RunAsync(_question, default));
    }

    private static async Task Eventually(Func<bool> condition)
    {
        for (var i = 0; i < 200 && !condition(); i++)
            await Task.Delay(50);

        Assert.True(condition());
    }
}
