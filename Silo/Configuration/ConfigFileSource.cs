using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Threading.Channels;
using Carina.Grains.Configuration;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Configuration;

/// <summary>
/// The configuration of a file, read again when it changes. A file that is missing or wrong changes nothing: what was
/// last valid stays in force, at the start the empty configuration.
/// </summary>
/// <remarks>
/// The first reading is over before any hosted service is started, Orleans among them, because it is done in
/// <see cref="StartingAsync"/>.
/// </remarks>
internal sealed partial class ConfigFileSource(
    IOptions<ConfigFileOptions> options, TimeProvider time, ILogger<ConfigFileSource> logger)
    : BackgroundService, IHostedLifecycleService, ICarinaConfigSource
{
    private readonly string _path = Path.GetFullPath(options.Value.Path);
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private ImmutableArray<Subscription> _subscriptions = [];
    private volatile CarinaConfig _current = CarinaConfig.Empty;
    private volatile ConfigFileStatus _status = new([], [], null);

    /// <summary>Hashes of the content seen last and of that in force; null for an unreadable file and for none.</summary>
    private byte[]? _seen;
    private byte[]? _applied;

    public CarinaConfig Current => _current;

    /// <summary>What was last found at the file.</summary>
    public ConfigFileStatus Status => _status;

    public IDisposable OnChange(Action<CarinaConfig> listener)
    {
        ArgumentNullException.ThrowIfNull(listener);
        var subscription = new Subscription(this, listener);
        ImmutableInterlocked.Update(ref _subscriptions, list => list.Add(subscription));
        return subscription;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => RefreshAsync(cancellationToken);

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var poll = options.Value.PollInterval;
        await using var timer = time.CreateTimer(_ => Wake(), null, poll, poll).ConfigureAwait(false);
        using var watcher = new ConfigFileWatcher(_path, Wake, logger);
        watcher.EnsureWatching();

        // What changed between the first reading and the watch.
        Wake();
        await foreach (var _ in _wake.Reader.ReadAllAsync(stoppingToken).ConfigureAwait(false))
        {
            await Task.Delay(options.Value.Debounce, time, stoppingToken).ConfigureAwait(false);

            // Signs from here on may be of changes that the reading misses, so they count for the next round.
            _wake.Reader.TryRead(out var _);
            var signalled = watcher.TakeSignalled();
            watcher.EnsureWatching();
            var changed = await RefreshAsync(stoppingToken).ConfigureAwait(false);
            if (changed && !signalled)
            {
                // Found without a sign: the watch may be of a directory that is not ours any more.
                watcher.Restart();
                Wake();
            }
        }
    }

    private void Wake() => _wake.Writer.TryWrite(true);

    /// <summary>Reads the file and puts it in force if it is another one and valid. True when it was not as before.</summary>
    private async Task<bool> RefreshAsync(CancellationToken cancellationToken)
    {
        byte[] content;
        try
        {
            content = await ReadAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var problem = ConfigProblem.OfFile($"The file cannot be read: {e.Message}");
            if (_seen is null && _status.Errors.Contains(problem))
                return false;
            _seen = null;
            Reject([problem], []);
            return true;
        }

        var hash = SHA256.HashData(content);
        if (_seen.AsSpan().SequenceEqual(hash))
            return false;
        _seen = hash;

        var result = CarinaConfigParser.Parse(content);
        foreach (var warning in result.Warnings)
            LogWarning(_path, warning.Line, warning.Column, warning.Path, warning.Message);
        if (result.IsValid)
            Apply(result.Config, result.Warnings, hash);
        else
            Reject(result.Errors, result.Warnings);
        return true;
    }

    private async Task<byte[]> ReadAsync(CancellationToken cancellationToken)
    {
        var file = new FileStream(
            _path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0, useAsync: true);
        await using (file.ConfigureAwait(false))
        {
            // One byte more than is allowed shows the parser that there is more.
            var buffer = new byte[Math.Min(file.Length, CarinaConfigParser.MaxBytes) + 1];
            var length = await file.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken)
                .ConfigureAwait(false);
            return buffer[..length];
        }
    }

    private void Reject(IReadOnlyList<ConfigProblem> errors, IReadOnlyList<ConfigProblem> warnings)
    {
        _status = _status with { Errors = errors, Warnings = warnings };
        foreach (var error in errors)
            LogError(_path, error.Line, error.Column, error.Path, error.Message);
        LogRejected(_path, _applied is null ? "none, so nothing is managed" : "the last valid one", errors.Count);
    }

    private void Apply(CarinaConfig config, IReadOnlyList<ConfigProblem> warnings, byte[] hash)
    {
        if (_applied.AsSpan().SequenceEqual(hash))
        {
            _status = _status with { Errors = [], Warnings = warnings };
            LogRestored(_path);
            return;
        }

        _applied = hash;
        _current = config;
        _status = new ConfigFileStatus([], warnings, time.GetUtcNow());
        LogApplied(_path, config.Groups.Count, config.Strategy, config.ScanInterval);
        foreach (var subscription in _subscriptions)
        {
            try
            {
                subscription.Listener(config);
            }
            catch (Exception e)
            {
                // One listener's fault must not keep the change from the others.
                LogListenerFailed(e, _path);
            }
        }
    }

    private sealed class Subscription(ConfigFileSource source, Action<CarinaConfig> listener) : IDisposable
    {
        public Action<CarinaConfig> Listener => listener;

        public void Dispose() => ImmutableInterlocked.Update(ref source._subscriptions, list => list.Remove(this));
    }
}
