using System.Collections.Immutable;
using System.Text.Json;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Linux;
using Carina.Silo.Mounting;

namespace Carina.Silo.Fencing;

/// <summary>
/// What this node has fenced. Counts from the moment that it is known, and is kept in a file, so that neither a restart
/// of the silo nor one of the node lets a volume back that nobody can be asked about. The silo and the guard process
/// share the file: what one writes, the other sees at its next question.
/// </summary>
internal sealed class FencedVolumes
{
    private static readonly JsonSerializerOptions _json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    // A process that is stopped may hold the lock for ever; a fence cannot wait for it.
    private static readonly TimeSpan _lockPatience = TimeSpan.FromMilliseconds(500);

    private readonly string _path;
    private readonly TimeProvider _clock;
    private readonly string _writer;
    private readonly KeyedLock _writing = new();
    private readonly Lock _lock = new();

    // Why nothing is known; empty while the file can be read.
    private volatile string _damage = "";

    // What the file says, when it was looked at last; what is known beyond that was not written yet.
    private FileStamp? _stamp;
    private ImmutableDictionary<string, FencedVolume> _inFile = ImmutableDictionary.Create<string, FencedVolume>(StringComparer.Ordinal);
    private ImmutableDictionary<string, FencedVolume> _volumes = ImmutableDictionary.Create<string, FencedVolume>(StringComparer.Ordinal);
    private ImmutableDictionary<string, long> _confirmed = ImmutableDictionary.Create<string, long>(StringComparer.Ordinal);

    /// <param name="path">The file; it and its directory are made when the first volume is fenced.</param>
    /// <param name="clock">Says when something was fenced.</param>
    /// <param name="writer">Tells this process apart from others that share the file.</param>
    public FencedVolumes(string path, TimeProvider clock, string writer = "")
    {
        (_path, _clock, _writer) = (path, clock, writer);
        try
        {
            if (File.Exists(path))
                TakeIn(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or StorageException)
        {
            _damage = exception.Message;
        }
    }

    /// <summary>All fenced volumes, in no order.</summary>
    public IReadOnlyCollection<FencedVolume> All => [.. Current().Values];

    /// <summary>Something was confirmed or removed.</summary>
    public event Action? Changed;

    /// <summary>
    /// Those that are known to be cut off: this process has seen it. A volume counts as fenced before it is.
    /// </summary>
    public IReadOnlyCollection<FencedVolume> Confirmed => [.. Current().Values.Where(IsConfirmed)];

    public bool IsConfirmed(FencedVolume volume) =>
        _confirmed.TryGetValue(volume.VolumeId, out var generation) && generation == volume.Generation;

    public FencedVolume? Find(string volumeId) => Current().GetValueOrDefault(volumeId);

    /// <summary>Why this generation must not be used on this node now; null when nothing is against it.</summary>
    public StorageException? FindRefusal(DiskVolumeKey key)
    {
        var known = Find(key.VolumeId);
        if (_damage.Length > 0)
        {
            return new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"Volume {key.VolumeId} cannot be used: the file {_path}, which says what this node was cut off from, cannot be read "
                + $"({_damage}). Make sure that no volume of this node was moved to another one, then remove the file and restart the driver here.");
        }

        return known is { } fenced && fenced.Generation >= key.Generation
            ? new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"Volume {key.VolumeId} (generation {key.Generation}) is fenced on this node since {fenced.At:u}: {fenced.Reason}. "
                + "It can be used here when its failover was cancelled and the fence was lifted; a pod that needs it now has to run "
                + "on the node that the volume moved to.")
            : null;
    }

    /// <exception cref="StorageException">FailedPrecondition when this generation is fenced.</exception>
    public void Demand(DiskVolumeKey key)
    {
        if (FindRefusal(key) is { } refusal)
            throw refusal;
    }

    /// <summary>Refuses the volume from now on; <see cref="SaveAsync"/> makes that last.</summary>
    /// <returns>What was known of it before; null when nothing was.</returns>
    public FencedVolume? Add(DiskVolumeKey key, string reason)
    {
        var fenced = new FencedVolume(key.VolumeId, key.Pool, key.Generation, _clock.GetUtcNow(), reason);
        lock (_lock)
        {
            var before = Current().GetValueOrDefault(key.VolumeId);
            if (before is null || before.Generation < key.Generation)
                _volumes = _volumes.SetItem(key.VolumeId, fenced);

            return before;
        }
    }

    /// <summary>The volume's devices are cut off.</summary>
    public void Confirm(DiskVolumeKey key)
    {
        ImmutableInterlocked.AddOrUpdate(ref _confirmed, key.VolumeId, key.Generation, (_, known) => Math.Max(known, key.Generation));
        Changed?.Invoke();
    }

    /// <summary>Takes back an <see cref="Add"/>.</summary>
    /// <param name="volumeId">The volume.</param>
    /// <param name="before">What that returned.</param>
    public void Undo(string volumeId, FencedVolume? before)
    {
        lock (_lock)
        {
            _volumes = before is null ? _volumes.Remove(volumeId) : _volumes.SetItem(volumeId, before);
        }
    }

    /// <summary>Forgets exactly this generation.</summary>
    public void Remove(DiskVolumeKey key)
    {
        ImmutableInterlocked.Update(ref _confirmed, confirmed =>
            confirmed.GetValueOrDefault(key.VolumeId) == key.Generation ? confirmed.Remove(key.VolumeId) : confirmed);
        lock (_lock)
        {
            if (Current().GetValueOrDefault(key.VolumeId)?.Generation == key.Generation)
                _volumes = _volumes.Remove(key.VolumeId);
        }

        Changed?.Invoke();
    }

    /// <summary>Writes what is known now, down to the disk; the file is the old or the new one, never a part.</summary>
    /// <exception cref="StorageException">It cannot be written.</exception>
    public async Task SaveAsync(CancellationToken cancellationToken)
    {
        // A disk that does not answer must not keep the caller.
        await WriteAsync().WaitAsync(cancellationToken).ConfigureAwait(false);

        async Task WriteAsync()
        {
            using var turn = await _writing.AcquireAsync(_path, cancellationToken).ConfigureAwait(false);
            await OwnThread.RunAsync(async () =>
            {
                // Without the lock the last one to write wins. The guard process, which alone outlasts a stopped silo,
                // looks afterwards whether what it wrote is still there.
                MakeDirectory();
                using var held = await FileLock.TryAcquireAsync(_path + ".lock", _lockPatience, _clock, cancellationToken)
                    .ConfigureAwait(false);
                Write();
            }).Unwrap().ConfigureAwait(false);
        }
    }

    /// <summary>Whether the file, as it is now, says so: nobody has replaced it by one that does not.</summary>
    public bool IsWritten(DiskVolumeKey key)
    {
        lock (_lock)
        {
            Current();
            return _inFile.GetValueOrDefault(key.VolumeId)?.Generation >= key.Generation;
        }
    }

    /// <summary>What is known, including what the other process has written since; that costs one look at the file's stamp.</summary>
    private ImmutableDictionary<string, FencedVolume> Current()
    {
        lock (_lock)
        {
            // A file that is gone says nothing: what it said goes on to hold until the restart.
            if (_damage.Length == 0 && LinuxFile.TryStamp(_path) is { } stamp && stamp != _stamp)
            {
                try
                {
                    TakeIn(_path);
                }
                catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
                {
                    // Its disk may answer the next time; until then what is known holds.
                }
                catch (StorageException exception)
                {
                    _damage = exception.Message;
                }
            }

            return _volumes;
        }
    }

    private void TakeIn(string path)
    {
        using var file = File.OpenHandle(path);
        var stamp = LinuxFile.TryStamp(file) ?? throw new IOException($"The status of {path} cannot be read.");
        var bytes = new byte[stamp.Bytes];
        RandomAccess.Read(file, bytes, 0);
        var found = Parse(bytes);
        lock (_lock)
        {
            _volumes = FencedMerge.Merge(_inFile, _volumes, found);
            (_inFile, _stamp) = (found, stamp);
        }
    }

    private static ImmutableDictionary<string, FencedVolume> Parse(byte[] bytes)
    {
        try
        {
            return (JsonSerializer.Deserialize<List<FencedVolume>>(bytes, _json) ?? [])
                .ToImmutableDictionary(volume => volume.VolumeId, StringComparer.Ordinal);
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException)
        {
            throw new StorageException(StorageErrorCode.Internal, exception.Message, exception);
        }
    }

    private void MakeDirectory()
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Unwritable(exception.Message);
        }
    }

    private void Write()
    {
        try
        {
            var volumes = Current();
            if (_damage.Length > 0)
                throw Unwritable($"it is damaged: {_damage}");

            var stamp = DurableFile.Write(
                _path,
                JsonSerializer.SerializeToUtf8Bytes(volumes.Values.OrderBy(volume => volume.VolumeId, StringComparer.Ordinal), _json),
                _writer);
            lock (_lock)
            {
                (_inFile, _stamp) = (volumes, stamp);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Unwritable(exception.Message);
        }
    }

    private StorageException Unwritable(string reason) => new(
        StorageErrorCode.Internal, $"What this node was cut off from cannot be written to {_path}: {reason}.");
}
