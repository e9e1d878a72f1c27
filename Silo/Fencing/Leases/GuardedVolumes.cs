using System.Collections.Immutable;
using System.Text.Json;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Mounting;

namespace Carina.Silo.Fencing.Leases;

/// <summary>
/// Volumes that this node gave its word for. In a file, since the word outlives the process: the next one has to keep it.
/// </summary>
internal sealed class GuardedVolumes
{
    private static readonly JsonSerializerOptions _json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    private readonly string _path;
    private readonly KeyedLock _writing = new();
    private ImmutableDictionary<string, DiskVolumeKey> _volumes =
        ImmutableDictionary.Create<string, DiskVolumeKey>(StringComparer.Ordinal);

    /// <param name="path">The file; it and its directory are made when the first volume is guarded.</param>
    public GuardedVolumes(string path)
    {
        _path = path;
        try
        {
            if (File.Exists(path))
            {
                _volumes = (JsonSerializer.Deserialize<List<DiskVolumeKey>>(File.ReadAllText(path), _json) ?? [])
                    .ToImmutableDictionary(key => key.VolumeId, StringComparer.Ordinal);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException or ArgumentException)
        {
            Damage = exception.Message;
        }
    }

    /// <summary>
    /// Why it is not known what is guarded; empty when it is. The node must not claim then that it would stop writing.
    /// </summary>
    public string Damage { get; } = "";

    /// <summary>All guarded volumes, in no order.</summary>
    public IReadOnlyCollection<DiskVolumeKey> All => [.. _volumes.Values];

    public bool IsEmpty => _volumes.IsEmpty;

    public DiskVolumeKey? Find(string volumeId) => _volumes.GetValueOrDefault(volumeId);

    /// <summary>From the return on the volume is guarded, also by the next process.</summary>
    /// <exception cref="StorageException">The file cannot be written; the volume is not guarded.</exception>
    public async Task AddAsync(DiskVolumeKey key, CancellationToken cancellationToken)
    {
        if (Damage.Length > 0)
            throw Unwritable($"it is damaged: {Damage}. Restart the pods of this node that use Carina's volumes elsewhere, then remove it and restart the driver");

        var before = Find(key.VolumeId);
        ImmutableInterlocked.Update(ref _volumes, volumes => volumes.SetItem(key.VolumeId, key));
        try
        {
            await SaveAsync(cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            ImmutableInterlocked.Update(
                ref _volumes, volumes => before is null ? volumes.Remove(key.VolumeId) : volumes.SetItem(key.VolumeId, before));
            throw;
        }
    }

    /// <summary>Forgets the volume. A file that cannot be written keeps it for the next process, which does no harm.</summary>
    /// <returns>What was guarded; null when nothing was.</returns>
    public async Task<DiskVolumeKey?> RemoveAsync(string volumeId, CancellationToken cancellationToken)
    {
        DiskVolumeKey? removed = null;
        ImmutableInterlocked.Update(ref _volumes, volumes =>
        {
            removed = volumes.GetValueOrDefault(volumeId);
            return volumes.Remove(volumeId);
        });
        if (removed is not null)
        {
            try
            {
                await SaveAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (StorageException)
            {
                // Said above.
            }
        }

        return removed;
    }

    private async Task SaveAsync(CancellationToken cancellationToken)
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
        try
        {
            DurableFile.Write(
                _path, JsonSerializer.SerializeToUtf8Bytes(_volumes.Values.OrderBy(key => key.VolumeId, StringComparer.Ordinal), _json));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Unwritable(exception.Message);
        }
    }

    private StorageException Unwritable(string reason) => new(
        StorageErrorCode.Internal, $"What this node guards cannot be written to {_path}: {reason}.");
}
