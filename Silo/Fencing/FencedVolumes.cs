using System.Collections.Immutable;
using System.Text.Json;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Mounting;

namespace Carina.Silo.Fencing;

/// <summary>
/// What this node has fenced. Counts from the moment that it is known, and is kept in a file, so that neither a restart
/// of the silo nor one of the node lets a volume back that nobody can be asked about.
/// </summary>
internal sealed class FencedVolumes
{
    private static readonly JsonSerializerOptions _json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    private readonly string _path;
    private readonly TimeProvider _clock;
    private readonly KeyedLock _writing = new();

    // Why nothing is known; empty when the file could be read.
    private readonly string _damage = "";
    private ImmutableDictionary<string, long> _confirmed = ImmutableDictionary.Create<string, long>(StringComparer.Ordinal);
    private ImmutableDictionary<string, FencedVolume> _volumes = ImmutableDictionary.Create<string, FencedVolume>(StringComparer.Ordinal);

    /// <param name="path">The file; it and its directory are made when the first volume is fenced.</param>
    public FencedVolumes(string path, TimeProvider clock)
    {
        (_path, _clock) = (path, clock);
        try
        {
            if (File.Exists(path))
            {
                _volumes = (JsonSerializer.Deserialize<List<FencedVolume>>(File.ReadAllText(path), _json) ?? [])
                    .ToImmutableDictionary(volume => volume.VolumeId, StringComparer.Ordinal);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException or ArgumentException)
        {
            _damage = exception.Message;
        }
    }

    /// <summary>All fenced volumes, in no order.</summary>
    public IReadOnlyCollection<FencedVolume> All => [.. _volumes.Values];

    /// <summary>Something was confirmed or removed.</summary>
    public event Action? Changed;

    /// <summary>
    /// Those that are known to be cut off: this process has seen it. A volume counts as fenced before it is.
    /// </summary>
    public IReadOnlyCollection<FencedVolume> Confirmed => [.. _volumes.Values.Where(IsConfirmed)];

    public bool IsConfirmed(FencedVolume volume) =>
        _confirmed.TryGetValue(volume.VolumeId, out var generation) && generation == volume.Generation;

    public FencedVolume? Find(string volumeId) => _volumes.GetValueOrDefault(volumeId);

    /// <summary>Why this generation must not be used on this node now; null when nothing is against it.</summary>
    public StorageException? FindRefusal(DiskVolumeKey key)
    {
        if (_damage.Length > 0)
        {
            return new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"Volume {key.VolumeId} cannot be used: the file {_path}, which says what this node was cut off from, cannot be read "
                + $"({_damage}). Make sure that no volume of this node was moved to another one, then remove the file and restart the driver here.");
        }

        return Find(key.VolumeId) is { } fenced && fenced.Generation >= key.Generation
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
        FencedVolume? before = null;
        ImmutableInterlocked.Update(ref _volumes, volumes =>
        {
            before = volumes.GetValueOrDefault(key.VolumeId);
            return before is null || before.Generation < key.Generation ? volumes.SetItem(key.VolumeId, fenced) : volumes;
        });
        return before;
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
    public void Undo(string volumeId, FencedVolume? before) =>
        ImmutableInterlocked.Update(
            ref _volumes, volumes => before is null ? volumes.Remove(volumeId) : volumes.SetItem(volumeId, before));

    /// <summary>Forgets exactly this generation.</summary>
    public void Remove(DiskVolumeKey key)
    {
        ImmutableInterlocked.Update(ref _confirmed, confirmed =>
            confirmed.GetValueOrDefault(key.VolumeId) == key.Generation ? confirmed.Remove(key.VolumeId) : confirmed);
        ImmutableInterlocked.Update(ref _volumes, volumes =>
            volumes.GetValueOrDefault(key.VolumeId)?.Generation == key.Generation ? volumes.Remove(key.VolumeId) : volumes);
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
            await OwnThread.RunAsync(Write).ConfigureAwait(false);
        }
    }

    private void Write()
    {
        if (_damage.Length > 0)
            throw Unwritable($"it is damaged: {_damage}");

        try
        {
            DurableFile.Write(
                _path,
                JsonSerializer.SerializeToUtf8Bytes(
                    _volumes.Values.OrderBy(volume => volume.VolumeId, StringComparer.Ordinal), _json));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Unwritable(exception.Message);
        }
    }

    private StorageException Unwritable(string reason) => new(
        StorageErrorCode.Internal, $"What this node was cut off from cannot be written to {_path}: {reason}.");
}
