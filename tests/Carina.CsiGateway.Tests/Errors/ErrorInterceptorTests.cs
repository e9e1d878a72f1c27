using System.Diagnostics;
using Carina.CsiGateway.Errors;
using Carina.CsiGateway.Tests.Controller;
using Carina.CsiGateway.Tests.Hosting;
using Carina.Grains.Errors;
using Carina.Grains.Storage;
using Carina.Grains.Telemetry;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Orleans.Storage;

namespace Carina.CsiGateway.Tests.Errors;

public sealed class ErrorInterceptorTests : IAsyncLifetime, IAsyncDisposable
{
    private static readonly Dictionary<string, (Exception Exception, StatusCode Code)> _errors = new()
    {
        ["silo gone"] = (new SiloUnavailableException(), StatusCode.Unavailable),
        ["cluster trouble"] = (new OrleansException("secret detail"), StatusCode.Unavailable),
        ["no answer"] = (new TimeoutException("secret detail"), StatusCode.DeadlineExceeded),
        ["cut short"] = (new OperationCanceledException(), StatusCode.Unavailable),
        ["lost a write"] = (new RecordConflictException("v"), StatusCode.Aborted),
        ["lost a write in Orleans"] = (new InconsistentStateException("secret detail"), StatusCode.Aborted),
        ["defect"] = (new InvalidOperationException("secret detail"), StatusCode.Internal),
        ["an RPC of ours"] = (new RpcException(new Status(StatusCode.Unknown, "secret detail")), StatusCode.Internal),
        ["code of the future"] = (new StorageException((StorageErrorCode)99, "readable"), StatusCode.Internal),
    };

    private readonly CsiTestHost _host = new();

    public static TheoryData<string> Errors => [.. _errors.Keys];

    public ValueTask InitializeAsync() => _host.InitializeAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Theory]
    [MemberData(nameof(Errors))]
    public async Task Whatever_is_thrown_becomes_a_code_to_act_on_and_no_detail_leaks(string label)
    {
        var (exception, code) = _errors[label];
        _host.Cluster.Disturb = _ => throw exception;
        var message = await CsiTestHost.AssertRefusedAsync(
            _host.ControllerClient.DeleteVolumeAsync(new() { VolumeId = "volume-pvc-1" }), code);
        Assert.DoesNotContain("secret", message, StringComparison.Ordinal);
        Assert.DoesNotContain(" at ", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_code_of_ours_arrives_with_its_message()
    {
        foreach (var code in Enum.GetValues<StorageErrorCode>())
        {
            _host.Cluster.Disturb = _ => throw new StorageException(code, "the pool is on fire");
            await CsiTestHost.AssertRefusedAsync(
                _host.ControllerClient.DeleteVolumeAsync(new() { VolumeId = "volume-pvc-1" }),
                (StatusCode)(int)code,
                "the pool is on fire");
        }
    }

    [Fact]
    public async Task A_message_is_never_empty_and_never_endless()
    {
        _host.Cluster.Disturb = _ => throw new StorageException(StorageErrorCode.NotFound, " ");
        await CsiTestHost.AssertRefusedAsync(
            _host.ControllerClient.DeleteVolumeAsync(new() { VolumeId = "volume-pvc-1" }), StatusCode.NotFound, "DeleteVolume");
        _host.Cluster.Disturb = _ => throw new StorageException(StorageErrorCode.NotFound, new string('ж', 100_000));
        await CsiTestHost.AssertRefusedAsync(
            _host.ControllerClient.DeleteVolumeAsync(new() { VolumeId = "volume-pvc-1" }), StatusCode.NotFound);
    }

    [Fact]
    public async Task An_incident_is_found_in_the_log_with_its_exception()
    {
        _host.Cluster.Disturb = _ => throw new InvalidOperationException("the reason");
        var message = await CsiTestHost.AssertRefusedAsync(
            _host.ControllerClient.DeleteVolumeAsync(new() { VolumeId = "volume-pvc-1" }), StatusCode.Internal, "incident");
        var (_, text, exception) = Assert.Single(_host.Log.Entries, entry => entry.Level is LogLevel.Error);
        var incident = text.Split(' ', ':')[1];
        Assert.Contains(incident, message, StringComparison.Ordinal);
        Assert.Contains("volume-pvc-1", text, StringComparison.Ordinal);
        Assert.Equal("the reason", exception?.Message);
    }

    [Fact]
    public async Task A_deadline_reaches_the_grain()
    {
        var seen = new TaskCompletionSource();
        _host.Cluster.Disturb = async token =>
        {
            using var registration = token.Register(seen.SetResult);
            await Task.Delay(Timeout.Infinite, token);
        };

        // The client makes this status itself, without a message.
        var error = await Assert.ThrowsAsync<RpcException>(async () => await _host.ControllerClient.DeleteVolumeAsync(
            new() { VolumeId = "volume-pvc-1" }, deadline: DateTime.UtcNow.AddMilliseconds(300)));
        Assert.Equal(StatusCode.DeadlineExceeded, error.StatusCode);
        await seen.Task.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Theory]
    [InlineData(true, true, StatusCode.DeadlineExceeded)]
    [InlineData(true, false, StatusCode.Cancelled)]
    [InlineData(false, false, StatusCode.Unavailable)]
    public void A_cancellation_is_told_from_a_deadline_and_from_a_restart(bool gaveUp, bool passed, StatusCode code)
    {
        var (status, isOurFault) = ErrorTranslation.Translate(
            new TaskCanceledException(), "DeleteVolume", callerGaveUp: gaveUp, deadlinePassed: passed);
        Assert.Equal((code, false), (status.StatusCode, isOurFault));
        Assert.Contains("DeleteVolume", status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_caller_that_goes_away_cancels_the_grain_call()
    {
        var (entered, seen) = (new TaskCompletionSource(), new TaskCompletionSource());
        _host.Cluster.Disturb = async token =>
        {
            using var registration = token.Register(seen.SetResult);
            entered.SetResult();
            await Task.Delay(Timeout.Infinite, token);
        };
        using var caller = new CancellationTokenSource();
        var call = _host.ControllerClient.DeleteVolumeAsync(
            new() { VolumeId = "volume-pvc-1" }, cancellationToken: caller.Token);
        await entered.Task.WaitAsync(TimeSpan.FromSeconds(10));
        await caller.CancelAsync();
        await CsiTestHost.AssertRefusedAsync(call, StatusCode.Cancelled);
        await seen.Task.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task Every_span_about_a_volume_has_its_id()
    {
        var spans = new System.Collections.Concurrent.ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is CarinaTelemetry.SourceName or "Microsoft.AspNetCore",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        await _host.ControllerClient.CreateVolumeAsync(Requests.Create("pvc-traced"));
        await _host.ControllerClient.ControllerGetVolumeAsync(new() { VolumeId = "volume-pvc-traced" });
        await _host.NodeClient.NodeUnstageVolumeAsync(
            new() { VolumeId = "volume-pvc-traced", StagingTargetPath = _host.Staging });

        var ours = spans.Where(span => (string?)span.GetTagItem(CarinaTelemetry.VolumeIdTag) == "volume-pvc-traced")
            .Select(span => span.OperationName)
            .ToList();
        Assert.Contains("csi CreateVolume", ours);
        Assert.Contains("csi ControllerGetVolume", ours);
        Assert.Contains("csi NodeUnstageVolume", ours);
        Assert.Equal(3, ours.Count(name => name.Contains("HttpRequestIn", StringComparison.Ordinal)));
    }
}
