using System.Collections.Concurrent;
using Carina.Grains.Agents;
using Carina.Grains.Errors;

namespace Carina.CsiGateway.Tests.Hosting;

/// <summary>Stands in for the node's disks and mounts: remembers what was asked.</summary>
internal sealed class MemoryNodeVolumes : INodeVolumes
{
    private int _calls;

    public ConcurrentQueue<object> Requests { get; } = new();

    /// <summary>Volume id by path.</summary>
    public ConcurrentDictionary<string, string> Mounts { get; } = new();

    public VolumeUsage Usage { get; set; } = new() { TotalBytes = 1L << 30 };

    /// <summary>When set, staging waits for it.</summary>
    public Func<CancellationToken, Task>? Hold { get; set; }

    public int Calls => Volatile.Read(ref _calls);

    public async Task StageAsync(StageRequest request, CancellationToken cancellationToken)
    {
        Record(request);
        if (Hold is { } hold)
        {
            await hold(cancellationToken);
        }

        Mounts[request.StagingPath] = request.Key.VolumeId;
    }

    public Task UnstageAsync(string volumeId, string stagingPath, CancellationToken cancellationToken) =>
        Remove(volumeId, stagingPath);

    public Task PublishAsync(PublishRequest request, CancellationToken cancellationToken)
    {
        Record(request);
        Mounts[request.TargetPath] = request.Key.VolumeId;
        return Task.CompletedTask;
    }

    public Task UnpublishAsync(string volumeId, string targetPath, CancellationToken cancellationToken) =>
        Remove(volumeId, targetPath);

    public Task<VolumeUsage> GetUsageAsync(DiskVolumeKey key, string path, CancellationToken cancellationToken)
    {
        Record(key);
        return Mounts.GetValueOrDefault(path) == key.VolumeId
            ? Task.FromResult(Usage)
            : throw new StorageException(StorageErrorCode.NotFound, $"Volume '{key.VolumeId}' is not at '{path}'.");
    }

    public Task<long> ExpandAsync(DiskVolumeKey key, string path, CancellationToken cancellationToken)
    {
        Record(key);
        return Task.FromResult(1L << 30);
    }

    private Task Remove(string volumeId, string path)
    {
        Record((volumeId, path));
        Mounts.TryRemove(path, out _);
        return Task.CompletedTask;
    }

    private void Record(object request)
    {
        Interlocked.Increment(ref _calls);
        Requests.Enqueue(request);
    }
}
