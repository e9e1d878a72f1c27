using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Fencing;
using Carina.Silo.Linux;
using Carina.Silo.Lvm;

namespace Carina.Silo.Backends.Lvm;

// Fencing: what is active says the kernel, whose it is and of which generation is known since the last scan, so that no
// lvm process is needed, nor a lock that one holds. Only for what is active and not known LVM is asked, by a process of
// its own that takes no locks.
internal sealed partial class LvmBackend : IFenceableBackend
{
    // By the mapped device's uuid, which is the logical volume's.
    private readonly Dictionary<string, LvmIdentity> _asked = new(StringComparer.Ordinal);

    public async Task<IReadOnlyList<VolumeDevice>> IdentifyAsync(DiskVolumeKey key, CancellationToken cancellationToken)
    {
        var known = _pools.Values.Select(pool => pool.FindKnown(key.VolumeId)).FirstOrDefault(volume => volume is not null)?.Key;
        var device = FindDevice(key.VolumeId);
        if (known is null && device is null)
            return [];

        var generation = known?.Generation ?? await AskGenerationAsync(key.VolumeId, device!, cancellationToken).ConfigureAwait(false);
        if (generation != key.Generation)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"This node has generation {generation} of volume '{key.VolumeId}', not generation {key.Generation}; it is left alone.");
        }

        return device is null ? [] : [device];
    }

    public Task RestoreAsync(DiskVolumeKey key, VolumeDevice device, CancellationToken cancellationToken) =>
        DeviceCut.IsCut(device) ? Require(key.Pool).RefreshAsync(key) : Task.CompletedTask;

    private async Task<long> AskGenerationAsync(string volumeId, VolumeDevice device, CancellationToken cancellationToken)
    {
        var number = new DeviceNumber(device.Major, device.Minor);
        var uuid = BlockDeviceNode.ReadSysfs(number, "dm/uuid") ?? "";
        LvmIdentity? identity;
        lock (_asked)
            _asked.TryGetValue(uuid, out identity);

        if (identity is null && DeviceMapper.Split(BlockDeviceNode.ReadSysfs(number, "dm/name") ?? "") is { } name)
        {
            var session = OpenSession("fence of " + volumeId, "fence-" + volumeId, _allowed.Restrict);
            try
            {
                if (_allowed.Restrict)
                    session.Configuration.SetDevices(_allowed.AllowedDevices());

                var command = new LvmCommand("lvs", ["--nolocking", .. LvmReport.VolumeOptions, $"{name.Group}/{name.Volume}"]);
                var result = await session.RunAsync(command, cancellationToken).ConfigureAwait(false);
                identity = result.Report.Volumes.Select(LvmIdentity.Of).FirstOrDefault();
            }
            catch (LvmException exception)
            {
                throw LvmFailure.Explain(exception, $"find out whose '{volumeId}' is");
            }
            finally
            {
                // Waits for the command, which the caller need not.
                _ = EndAsync(session);
            }
        }

        if (identity is null)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"The logical volume behind {device.Path} is named '{volumeId}', but does not bear Carina's tags; it is left alone.");
        }

        lock (_asked)
            _asked[uuid] = identity;

        return identity.Generation;
    }

    private static async Task EndAsync(LvmSession session)
    {
        await session.DisposeAsync().ConfigureAwait(false);
        session.Configuration.Remove();
    }
}
