using System.Globalization;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Copying;
using Carina.Silo.Linux;
using Carina.Silo.Lvm;
using Carina.Silo.Mounting;

namespace Carina.Silo.Backends.Lvm;

// Copying: a volume is read where it lies on its disks, so it need not be active, and may be cut off.
internal sealed partial class LvmPool
{
    private const string Linear = "linear";

    public async Task<VolumeContent> OpenForReadingAsync(DiskVolumeKey key)
    {
        try
        {
            await RequireOursAsync(key).ConfigureAwait(false);
            var segments = (await AskAsync(LvmReport.OfSegments(PathOf(key.VolumeId))).ConfigureAwait(false)).EnsureSuccess().Report.Segments;
            var disks = (await AskAsync(LvmReport.Everything(GroupName)).ConfigureAwait(false)).EnsureSuccess().Report.Disks;
            return Open(key, segments, disks.ToDictionary(disk => disk.Name, disk => disk.DataStartBytes, StringComparer.Ordinal));
        }
        catch (LvmException exception)
        {
            throw LvmFailure.Explain(exception, $"find out where volume '{key.VolumeId}' of pool '{Name}' lies");
        }
    }

    public async Task<VolumeContent> OpenForWritingAsync(DiskVolumeKey key, CancellationToken cancellationToken)
    {
        var device = await OpenAsync(key, cancellationToken).ConfigureAwait(false);
        var (number, table) = (new DeviceNumber(device.Major, device.Minor), MountTable.Read());
        if (table.OfFileSystemOn(number).Concat(table.OfNode(number)).FirstOrDefault() is { } mount)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"Volume '{key.VolumeId}' in pool '{Name}' is in use: it is mounted at {mount.MountPoint}. Nothing is written to it past that.");
        }

        return new([new(VolumeContent.OpenDirect(device.Path, OpenFlags.ReadWrite | OpenFlags.Exclusive), 0, device.Bytes)]);
    }

    private VolumeContent Open(DiskVolumeKey key, IReadOnlyList<SegmentReport> segments, Dictionary<string, long> dataStarts)
    {
        var extents = new List<ContentExtent>();
        try
        {
            foreach (var segment in segments.OrderBy(s => s.StartBytes))
            {
                if (segment.Type != Linear || segment.Devices is not [var place] || Split(place) is not { } on
                    || !dataStarts.TryGetValue(on.Path, out var dataStart))
                {
                    throw new StorageException(
                        StorageErrorCode.FailedPrecondition,
                        $"Volume '{key.VolumeId}' lies in pool '{Name}' in a way that is not copied ({segment.Type} on {string.Join(", ", segment.Devices)}).");
                }

                extents.Add(new(
                    VolumeContent.OpenDirect(on.Path, OpenFlags.Read), dataStart + on.Extent * _group.ExtentBytes, segment.SizeBytes));
            }

            var content = new VolumeContent(extents);
            extents = [];
            return content;
        }
        finally
        {
            extents.ForEach(extent => extent.File.Dispose());
        }
    }

    // "/dev/sdb(42)"
    private static (string Path, long Extent)? Split(string place)
    {
        var open = place.LastIndexOf('(');
        return open > 0 && place.EndsWith(')')
            && long.TryParse(place.AsSpan(open + 1, place.Length - open - 2), NumberStyles.None, CultureInfo.InvariantCulture, out var extent)
            ? (place[..open], extent)
            : null;
    }
}
