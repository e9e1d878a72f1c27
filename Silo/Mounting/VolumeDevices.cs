using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Silo.Backends;
using Carina.Silo.Fencing;
using Carina.Silo.Linux;

namespace Carina.Silo.Mounting;

/// <summary>The devices of volumes, whichever backend has them.</summary>
internal sealed class VolumeDevices(IEnumerable<IPoolBackend> backends, IPoolPolicies policies, FencedVolumes fenced)
{
    private readonly IPoolBackend[] _backends = [.. backends];

    /// <summary>The volume's device if it is available now, in whatever pool.</summary>
    public VolumeDevice? Find(string volumeId) => FindWithBackend(volumeId)?.Device;

    /// <summary>Makes the device available, at its present size.</summary>
    /// <exception cref="StorageException">FailedPrecondition when this generation is fenced.</exception>
    public async Task<VolumeDevice> OpenAsync(DiskVolumeKey key, CancellationToken cancellationToken)
    {
        fenced.Demand(key);
        var device = await BackendOf(key).OpenAsync(key, cancellationToken).ConfigureAwait(false);

        // A fence that began meanwhile may have looked for devices before there was this one.
        if (fenced.FindRefusal(key) is { } refusal)
        {
            await CloseAsync(key.VolumeId, cancellationToken).ConfigureAwait(false);
            throw refusal;
        }

        return device;
    }

    /// <inheritdoc cref="FencedVolumes.Demand"/>
    public void DemandUnfenced(DiskVolumeKey key) => fenced.Demand(key);

    /// <summary>Whether a file system was made on the volume before; false where its backend does not remember.</summary>
    public Task<bool> WasFormattedAsync(DiskVolumeKey key, CancellationToken cancellationToken) =>
        BackendOf(key) is IFormatMemory memory ? memory.WasFormattedAsync(key, cancellationToken) : Task.FromResult(false);

    /// <inheritdoc cref="IFormatMemory.RememberFormattedAsync"/>
    public Task RememberFormattedAsync(DiskVolumeKey key, CancellationToken cancellationToken) =>
        BackendOf(key) is IFormatMemory memory ? memory.RememberFormattedAsync(key, cancellationToken) : Task.CompletedTask;

    /// <summary>Lets go of the device; one that is not there is success.</summary>
    public Task CloseAsync(string volumeId, CancellationToken cancellationToken) =>
        FindWithBackend(volumeId) is { } found
            ? found.Backend.CloseAsync(volumeId, cancellationToken)
            : Task.CompletedTask;

    /// <summary>
    /// Whether a mount is this volume's. While the volume has a device, only that counts. A volume without one (its disk
    /// died, or it was moved away and renamed) may still be mounted: then the device is gone, or is named after it.
    /// </summary>
    public static bool Owns(string volumeId, VolumeDevice? device, MountEntry mount)
    {
        if (MountTable.DeviceOf(mount) is not { } number)
            return false;

        return device is not null
            ? number == NumberOf(device)
            : VolumeIds.IsWellFormed(volumeId) && (!BlockDeviceNode.Exists(number) || IsNamedAfter(number, volumeId));
    }

    public static DeviceNumber NumberOf(VolumeDevice device) => new(device.Major, device.Minor);

    private IPoolBackend BackendOf(DiskVolumeKey key)
    {
        if (!VolumeIds.IsWellFormed(key.VolumeId))
            throw new StorageException(StorageErrorCode.NotFound, $"There is no volume '{key.VolumeId}'.");

        var policy = policies.Find(key.Pool)
            ?? throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"The pool '{key.Pool}' of volume {key.VolumeId} is not in this node's configuration; put its group back.");
        return _backends.FirstOrDefault(backend => backend.Policy == policy)
            ?? throw new StorageException(
                StorageErrorCode.FailedPrecondition, $"Pools of policy {policy} are not supported on this node.");
    }

    private (IPoolBackend Backend, VolumeDevice Device)? FindWithBackend(string volumeId)
    {
        if (!VolumeIds.IsWellFormed(volumeId))
            return null;

        foreach (var backend in _backends)
        {
            if (backend.FindDevice(volumeId) is { } device)
                return (backend, device);
        }

        return null;
    }

    // device-mapper doubles hyphens within names.
    private static bool IsNamedAfter(DeviceNumber number, string volumeId)
    {
        var mapped = BlockDeviceNode.ReadSysfs(number, "dm/name") ?? "";
        var file = BlockDeviceNode.ReadSysfs(number, "loop/backing_file") ?? "";
        return mapped.Contains(volumeId.Replace("-", "--", StringComparison.Ordinal), StringComparison.Ordinal)
            || Path.GetFileName(file).Contains(volumeId, StringComparison.Ordinal);
    }
}
