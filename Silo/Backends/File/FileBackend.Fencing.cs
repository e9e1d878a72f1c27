using Carina.Grains.Agents;
using Carina.Silo.Fencing;
using Carina.Silo.Linux;
using Carina.Silo.Mounting;

namespace Carina.Silo.Backends.Files;

// Fencing: takes no lock, since whoever holds one may hang.
internal sealed partial class FileBackend : IFenceableBackend
{
    public Task<IReadOnlyList<VolumeDevice>> IdentifyAsync(DiskVolumeKey key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var pools = _pools.Values;
        var loops = LoopDevices.FindByFileName(VolumeFile.NameOf(key.VolumeId));

        // Before the first scan, when no pool is known, the loop devices say where the file is.
        var paths = pools.Count > 0 ? pools.Select(pool => pool.PathOf(key.VolumeId)) : loops.Select(loop => loop.BackingPath);
        var found = new List<VolumeDevice>();
        foreach (var path in paths.Distinct(StringComparer.Ordinal))
        {
            using var file = VolumeFile.TryOpen(null, path, key.VolumeId);
            if (file is null)
                continue;

            DemandGeneration(file, key);
            var identity = file.Identity;
            found.AddRange(loops.Where(loop => LoopDevices.IsAttachedTo(loop, identity)).Select(Describe));
        }

        return Task.FromResult<IReadOnlyList<VolumeDevice>>(found);
    }

    public Task RestoreAsync(DiskVolumeKey key, VolumeDevice device, CancellationToken cancellationToken)
    {
        // Where pods may only read the bare device, it stays read-only.
        var nodes = MountTable.Read().OfNode(new DeviceNumber(device.Major, device.Minor)).ToList();
        return DeviceCut.RestoreLoopAsync(device.Path, nodes.Count > 0 && nodes.All(mount => mount.IsReadOnly), _clock);
    }
}
