using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Lvm;

namespace Carina.Silo.Backends.Lvm;

// Devices: a volume is active from its creation or from the moment that it is opened until it is closed. Nothing else
// here activates it: where the host does not do so either, no device appears by itself after a reboot, nor on a node that
// has lost a volume to another.
internal sealed partial class LvmPool
{
    /// <summary>The volume's device if it is active; starts no process.</summary>
    public VolumeDevice? FindDevice(string volumeId) => DeviceMapper.Find(GroupName, GroupUuid, volumeId);

    /// <summary>The volume as it was when the disk was last looked at or changed; null when it was not there, or not ours.</summary>
    public DiskVolume? FindKnown(string volumeId) => _known.GetValueOrDefault(volumeId);

    /// <summary>Puts the table that the volume's metadata says into its device, whatever table it has.</summary>
    public async Task RefreshAsync(DiskVolumeKey key)
    {
        try
        {
            await RequireOursAsync(key).ConfigureAwait(false);
            (await AskAsync(Command("lvchange", ["--refresh"], [key.VolumeId])).ConfigureAwait(false)).EnsureSuccess();
        }
        catch (LvmException exception)
        {
            throw LvmFailure.Explain(exception, $"give the device of volume '{key.VolumeId}' in pool '{Name}' its storage back");
        }
    }

    /// <summary>Activates the volume.</summary>
    public async Task<VolumeDevice> OpenAsync(DiskVolumeKey key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_known.TryGetValue(key.VolumeId, out var known)
            && known.Key == key
            && known.Problem.Length == 0
            && FindDevice(key.VolumeId) is { } active
            && !DeviceMapper.IsSuspended(active))
        {
            return active;
        }

        try
        {
            var present = await RequireOursAsync(key).ConfigureAwait(false);
            if (LvmIdentity.Of(present)!.IsUnfinished)
            {
                throw new StorageException(
                    StorageErrorCode.FailedPrecondition,
                    $"The creation of volume '{key.VolumeId}' was interrupted; it can be used when CreateVolume has been repeated.");
            }

            (await AskAsync(Command(
                "lvchange", ["--activate", "y", "--select", LvmSelection.HasTags(LvmIdentity.TagsOf(key))], [key.VolumeId]))
                .ConfigureAwait(false)).EnsureSuccess();
            await ResumeAsync(key.VolumeId).ConfigureAwait(false);
            _known[key.VolumeId] = Describe(key, present.SizeBytes);
        }
        catch (LvmException exception)
        {
            throw LvmFailure.Explain(exception, $"activate volume '{key.VolumeId}' in pool '{Name}'");
        }

        return FindDevice(key.VolumeId) ?? throw new StorageException(
            StorageErrorCode.Internal,
            $"LVM activated volume '{key.VolumeId}', but its device did not appear. Does lvm.conf exclude it "
            + "(activation/volume_list), or does this process not share /dev and /sys with the kernel's host?");
    }

    /// <summary>Deactivates the volume, unless somebody has it open.</summary>
    public async Task CloseAsync(string volumeId, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        for (var attempt = 0; FindDevice(volumeId) is { } device; attempt++)
        {
            if (attempt > OpenRetries)
            {
                throw new StorageException(
                    StorageErrorCode.FailedPrecondition,
                    $"Volume '{volumeId}' cannot be deactivated: its device {device.Path} is in use. Unmount it, or end what has it open, first.");
            }

            if (attempt > 0)
                await Task.Delay(_openRetryDelay, _clock, cancellationToken).ConfigureAwait(false);

            try
            {
                var result = await AskAsync(Command(
                    "lvchange", ["--activate", "n", "--select", LvmSelection.NotOpen], [volumeId])).ConfigureAwait(false);
                if (!result.Succeeded && result.ToException() is { Kind: not LvmErrorKind.InUse } exception)
                    throw exception;
            }
            catch (LvmException exception)
            {
                throw LvmFailure.Explain(exception, $"deactivate volume '{volumeId}' in pool '{Name}'");
            }
        }
    }

    /// <summary>The volume, if the disk has it in this generation.</summary>
    private async Task<LvReport> RequireOursAsync(DiskVolumeKey key)
    {
        var found = (await LookAsync(key.VolumeId).ConfigureAwait(false)).GetValueOrDefault(key.VolumeId)
            ?? throw new StorageException(
                StorageErrorCode.NotFound, $"Volume group '{GroupName}' has no volume '{key.VolumeId}'.");
        var identity = LvmIdentity.Of(found)
            ?? throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"The logical volume '{key.VolumeId}' in volume group '{GroupName}' does not bear Carina's tags; it is left alone.");
        return identity.Generation == key.Generation
            ? found
            : throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"The disk has generation {identity.Generation} of volume '{key.VolumeId}', not generation {key.Generation}.");
    }
}
