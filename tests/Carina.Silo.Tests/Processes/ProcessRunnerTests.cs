using System.Diagnostics;
using System.Globalization;
using Carina.Grains.Errors;
using Carina.Grains.Telemetry;
using Carina.Silo.Processes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carina.Silo.Tests.Processes;

public sealed class ProcessRunnerTests
{
    private readonly ProcessRunner _runner = new(TimeProvider.System, NullLogger<ProcessRunner>.Instance);

    [Fact]
    public async Task Arguments_arrive_as_they_are_and_no_shell_sees_them()
    {
        var result = await _runner.RunAsync("printf", ["%s|", "a b", "$(id)", "`id`", "", "ü;*"], default);
        Assert.Equal(new CommandResult(0, "a b|$(id)|`id`||ü;*|", ""), result);
    }

    [Fact]
    public async Task Exit_code_output_and_error_are_kept_apart()
    {
        var result = await _runner.RunAsync("sh", ["-c", "echo out; echo err >&2; exit 7"], default);
        Assert.Equal(new CommandResult(7, "out\n", "err"), result);
    }

    [Fact]
    public async Task A_signal_is_told_as_128_and_its_number()
    {
        var result = await _runner.RunAsync("sh", ["-c", "kill -SEGV $$"], default);
        Assert.Equal(128 + 11, result.ExitCode);
    }

    [Fact]
    public async Task The_program_speaks_C_and_reads_nothing()
    {
        var result = await _runner.RunAsync("sh", ["-c", "echo $LC_ALL; cat; echo end"], default);
        Assert.Equal("C\nend\n", result.Output);
    }

    [Fact]
    public async Task A_missing_program_names_the_package_that_brings_it()
    {
        var failure = await Assert.ThrowsAsync<StorageException>(() => _runner.RunAsync("thin_delta_", [], default));
        Assert.Equal(StorageErrorCode.Internal, failure.Code);
        Assert.Contains("thin_delta_", failure.Message, StringComparison.Ordinal);

        if (!File.Exists("/usr/sbin/make-bcache"))
        {
            failure = await Assert.ThrowsAsync<StorageException>(() => _runner.RunAsync("make-bcache", [], default));
            Assert.Contains("'bcache-tools'", failure.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Cancellation_ends_the_program_and_its_children()
    {
        using var cancellation = new CancellationTokenSource();
        var marker = Path.Combine(Path.GetTempPath(), "carina-process-" + Guid.NewGuid().ToString("N"));
        try
        {
            var run = _runner.RunAsync("sh", ["-c", $"sleep 300 & echo $! > {marker}; wait"], cancellation.Token);
            var child = await ReadNumberAsync(marker);
            await cancellation.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
            Assert.True(await HasEndedAsync(child), $"process {child} still runs");
        }
        finally
        {
            File.Delete(marker);
        }
    }

    [Fact]
    public async Task What_ignores_TERM_is_killed()
    {
        using var cancellation = new CancellationTokenSource();
        var marker = Path.Combine(Path.GetTempPath(), "carina-process-" + Guid.NewGuid().ToString("N"));
        try
        {
            var run = _runner.RunAsync(
                "sh", ["-c", $"trap '' TERM; echo $$ > {marker}; while :; do sleep 0.1; done"], cancellation.Token);
            var stubborn = await ReadNumberAsync(marker);
            var started = Stopwatch.GetTimestamp();
            await cancellation.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
            Assert.True(await HasEndedAsync(stubborn), $"process {stubborn} still runs");
            Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, ProcessRunner.Grace + TimeSpan.FromSeconds(5));
        }
        finally
        {
            File.Delete(marker);
        }
    }

    [Fact]
    public async Task A_daemon_that_keeps_the_output_open_does_not_keep_the_caller()
    {
        var result = await _runner.RunAsync("sh", ["-c", "sleep 20 & echo $!"], default);
        var daemon = int.Parse(result.Output, CultureInfo.InvariantCulture);
        using var process = Process.GetProcessById(daemon);
        Assert.False(process.HasExited);
        process.Kill();
    }

    [Fact]
    public async Task Output_without_end_is_refused_and_error_is_shortened()
    {
        var failure = await Assert.ThrowsAsync<StorageException>(
            () => _runner.RunAsync("head", ["-c", "20000000", "/dev/zero"], default));
        Assert.Equal(StorageErrorCode.Internal, failure.Code);

        var result = await _runner.RunAsync("sh", ["-c", "head -c 100000 /dev/zero | tr '\\0' x >&2"], default);
        Assert.InRange(result.Error.Length, ProcessRunner.MaxError, ProcessRunner.MaxError + 1);
    }

    [Fact]
    public async Task Each_run_is_a_span_named_after_program_and_verb()
    {
        var spans = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == CarinaTelemetry.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                lock (spans)
                {
                    spans.Add(activity);
                }
            },
        };
        ActivitySource.AddActivityListener(listener);
        using (var parent = new Activity("test").Start())
        {
            await _runner.RunAsync("expr", ["length", "/secret/path"], default);
            await _runner.RunAsync("test", ["-e", "/nonexistent"], default);
            lock (spans)
            {
                spans.RemoveAll(span => span.TraceId != parent.TraceId);
            }
        }

        Assert.Equal(["expr length", "test"], spans.Select(span => span.DisplayName));
        Assert.Equal(["expr", "test"], spans.Select(span => span.GetTagItem("process.executable.name")));
        Assert.Equal([0, 1], spans.Select(span => (int)span.GetTagItem("process.exit.code")!));
    }

    private static async Task<int> ReadNumberAsync(string path)
    {
        for (var i = 0; i < 200; i++)
        {
            if (File.Exists(path) && int.TryParse(await File.ReadAllTextAsync(path), out var number))
                return number;

            await Task.Delay(25);
        }

        throw new TimeoutException($"nothing in {path}");
    }

    // A killed orphan is a zombie until init reaps it.
    private static async Task<bool> HasEndedAsync(int processId)
    {
        for (var i = 0; i < 100; i++)
        {
            var status = $"/proc/{processId}/stat";
            if (!File.Exists(status) || (await File.ReadAllTextAsync(status)).Contains(") Z ", StringComparison.Ordinal))
                return true;

            await Task.Delay(20);
        }

        return false;
    }
}
