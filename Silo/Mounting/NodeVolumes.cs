using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Telemetry;
using Carina.Silo.Backends;
using Carina.Silo.Fencing;

namespace Carina.Silo.Mounting;

/// <summary>
/// <see cref="INodeVolumes"/> on Linux. One operation at a time per volume; what state a volume is in is read from the
/// kernel each time, so that it does not matter where an earlier process stopped.
/// </summary>
internal sealed partial class NodeVolumes : INodeVolumes
{
    private readonly KeyedLock _locks = new();
    private readonly ScratchMount _scratch;
    private readonly VolumeStaging _staging;
    private readonly VolumePublishing _publishing;
    private readonly VolumeInspection _inspection;
    private readonly FencedVolumes _fenced;
    private readonly ILogger<NodeVolumes> _logger;

    public NodeVolumes(
        IEnumerable<IPoolBackend> backends,
        IPoolPolicies policies,
        FileSystems fileSystems,
        MountCalls calls,
        NodeVolumesOptions options,
        FencedVolumes fenced,
        ILogger<NodeVolumes> logger)
    {
        var devices = new VolumeDevices(backends, policies, fenced);
        _scratch = new ScratchMount(calls, options);
        _staging = new VolumeStaging(devices, fileSystems, calls, options);
        _publishing = new VolumePublishing(devices, _scratch, calls, options);
        _inspection = new VolumeInspection(devices, fileSystems, options);
        _fenced = fenced;
        _logger = logger;
    }

    public Task StageAsync(StageRequest request, CancellationToken cancellationToken) =>
        ChangeAsync("stage", request.Key.VolumeId, request.StagingPath, () => _staging.StageAsync(request, cancellationToken), cancellationToken);

    public Task UnstageAsync(string volumeId, string stagingPath, CancellationToken cancellationToken) =>
        ChangeAsync("unstage", volumeId, stagingPath, () => _staging.UnstageAsync(volumeId, stagingPath, cancellationToken), cancellationToken);

    public Task PublishAsync(PublishRequest request, CancellationToken cancellationToken) =>
        ChangeAsync("publish", request.Key.VolumeId, request.TargetPath, () => _publishing.PublishAsync(request), cancellationToken);

    public Task UnpublishAsync(string volumeId, string targetPath, CancellationToken cancellationToken) =>
        ChangeAsync("unpublish", volumeId, targetPath, () => _publishing.UnpublishAsync(volumeId, targetPath), cancellationToken);

    public Task<VolumeUsage> GetUsageAsync(DiskVolumeKey key, string path, CancellationToken cancellationToken)
    {
        // Kubelet asks for each volume each minute: no lock, and no waiting for a volume that is being formatted.
        cancellationToken.ThrowIfCancellationRequested();
        return Task.Run(GetUsage, cancellationToken).WaitAsync(cancellationToken);

        VolumeUsage GetUsage()
        {
            var usage = _inspection.GetUsage(key, path);
            return _fenced.FindRefusal(key) is { } refusal ? usage with { Problem = refusal.Message } : usage;
        }
    }

    public async Task<long> ExpandAsync(DiskVolumeKey key, string path, CancellationToken cancellationToken)
    {
        var bytes = 0L;
        await ChangeAsync(
            "expand",
            key.VolumeId,
            path,
            async () => bytes = await _inspection.ExpandAsync(key, path, cancellationToken).ConfigureAwait(false),
            cancellationToken).ConfigureAwait(false);
        return bytes;
    }

    // A mount that the kernel does not finish keeps the volume locked, but not the caller waiting beyond its deadline.
    private async Task ChangeAsync(
        string verb, string volumeId, string path, Func<Task> change, CancellationToken cancellationToken)
    {
        using var activity = CarinaTelemetry.StartVolumeSpan(verb + " volume", volumeId);
        var held = await _locks.AcquireAsync(volumeId, cancellationToken).ConfigureAwait(false);
        await RunAsync().WaitAsync(cancellationToken).ConfigureAwait(false);

        async Task RunAsync()
        {
            using (held)
            {
                try
                {
                    await _scratch.ReleaseAsync(volumeId).ConfigureAwait(false);
                    await change().ConfigureAwait(false);
                    LogDone(_logger, verb, volumeId, path);
                }
                catch (StorageException e)
                {
                    LogRefused(_logger, verb, volumeId, path, e.Message);
                    throw;
                }
            }
        }
    }
}
