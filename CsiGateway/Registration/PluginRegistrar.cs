using Carina.CsiGateway.Registration.Protocol;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Carina.CsiGateway.Registration;

/// <summary>
/// Keeps the driver registered with the kubelet while the host runs. The kubelet watches a directory: a socket that
/// appears is a registration, one that goes is its end. So ours appears last, once the driver's own socket is
/// served, goes first when the host stops, and comes anew, after a pause, when the kubelet says that it failed.
/// </summary>
internal sealed partial class PluginRegistrar(
    IOptions<PluginRegistrationOptions> options, TimeProvider time, ILoggerFactory loggers, ILogger<PluginRegistrar> logger)
    : IPluginRegistration, IHostedLifecycleService, IAsyncDisposable
{
    private static readonly TimeSpan _probeInterval = TimeSpan.FromMilliseconds(250);

    private readonly PluginRegistrationOptions _options = options.Value;
    private readonly CancellationTokenSource _stopping = new();
    private Task _running = Task.CompletedTask;
    private int _failures;
    private bool _disposed;

    public PluginRegistrationStatus Status { get; private set; } = new(PluginRegistrationState.Waiting);

    /// <summary>Every other hosted service, the server among them, has started.</summary>
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        _running = RunAsync(_stopping.Token);
        return Task.CompletedTask;
    }

    /// <summary>None has been stopped yet.</summary>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _running.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Called once for each service type that this is registered under.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await RegisterAsync(stopping).ConfigureAwait(false);
                await PauseAsync(stopping).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                break;
            }
        }

        Status = new(PluginRegistrationState.Stopped);
    }

    /// <summary>From the wait for the driver to the end of one socket.</summary>
    private async Task RegisterAsync(CancellationToken stopping)
    {
        try
        {
            Status = new(PluginRegistrationState.Waiting);
            await WaitForDriverAsync(stopping).ConfigureAwait(false);
            var server = await RegistrationServer.StartAsync(_options, time, loggers, stopping).ConfigureAwait(false);
            await using (server.ConfigureAwait(false))
            {
                Status = new(PluginRegistrationState.Offered);
                LogOffered(_options.DriverName, _options.Endpoint, _options.Socket);
                await ServeAsync(server, stopping).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is not OperationCanceledException || !stopping.IsCancellationRequested)
        {
            Status = new(PluginRegistrationState.Failed, e.Message);
            LogFailed(e, _options.Socket, e.Message);
        }
    }

    private async Task WaitForDriverAsync(CancellationToken stopping)
    {
        using var probe = new CsiSocketProbe(_options.CsiSocket);
        while (await probe.WhyNotServedAsync(stopping).ConfigureAwait(false) is { } obstacle)
        {
            if (obstacle != Status.Obstacle)
                LogWaiting(_options.CsiSocket, obstacle);
            Status = new(PluginRegistrationState.Waiting, obstacle);
            await Task.Delay(_probeInterval, time, stopping).ConfigureAwait(false);
        }
    }

    /// <summary>Returns when the socket has to go: the kubelet refused, or it is no longer in its place.</summary>
    private async Task ServeAsync(RegistrationServer server, CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(_options.CheckInterval, time);
        var tick = timer.WaitForNextTickAsync(stopping).AsTask();
        var verdict = server.Verdicts.ReadAsync(stopping).AsTask();
        while (true)
        {
            if (await Task.WhenAny(verdict, tick).ConfigureAwait(false) == verdict)
            {
                if (!Take(await verdict.ConfigureAwait(false)))
                    return;
                verdict = server.Verdicts.ReadAsync(stopping).AsTask();
                continue;
            }

            await tick.ConfigureAwait(false);
            if (!server.IsInPlace())
            {
                Status = new(PluginRegistrationState.Failed, $"{_options.Socket} was removed or replaced");
                LogLost(_options.Socket);
                return;
            }

            tick = timer.WaitForNextTickAsync(stopping).AsTask();
        }
    }

    private bool Take(RegistrationStatus verdict)
    {
        if (verdict.PluginRegistered)
        {
            _failures = 0;
            Status = new(PluginRegistrationState.Registered);
            LogRegistered(_options.DriverName);
            return true;
        }

        Status = new(PluginRegistrationState.Failed, verdict.Error);
        LogRefused(_options.DriverName, verdict.Error);
        return false;
    }

    private Task PauseAsync(CancellationToken stopping)
    {
        var pause = _options.RetryDelay * Math.Pow(2, Math.Min(_failures++, 20));
        if (pause > _options.LongestRetryDelay)
            pause = _options.LongestRetryDelay;
        LogPause(pause.TotalSeconds);
        return Task.Delay(pause, time, stopping);
    }
}
