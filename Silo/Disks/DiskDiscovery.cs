using Carina.Grains.Configuration;
using Carina.Grains.Errors;

namespace Carina.Silo.Disks;

/// <summary>Finds the disks that groups may take: rules first, then proof on the device that it is blank.</summary>
internal sealed class DiskDiscovery(BlockDeviceScanner scanner, BlankProbe probe)
{
    /// <summary>Looks at all disks now.</summary>
    public async Task<IReadOnlyList<SelectedDisk>> FindAsync(
        IReadOnlyList<DiskGroup> groups,
        IReadOnlyDictionary<string, string> nodeLabels,
        CancellationToken cancellationToken)
    {
        var devices = await scanner.ScanAsync(cancellationToken).ConfigureAwait(false);
        return await ConfirmAsync(DiskSelection.Select(groups, devices, nodeLabels), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Turns what is not provably blank into a refusal. Only disks that the rules would take are touched.</summary>
    public async Task<IReadOnlyList<SelectedDisk>> ConfirmAsync(
        IReadOnlyList<SelectedDisk> selected, CancellationToken cancellationToken)
    {
        var result = new List<SelectedDisk>(selected.Count);
        foreach (var disk in selected)
        {
            result.Add(disk.IsTaken
                ? disk with { Refusal = await FindObstacleAsync(disk.Device, cancellationToken).ConfigureAwait(false) }
                : disk);
        }

        return result;
    }

    private async Task<string> FindObstacleAsync(BlockDevice device, CancellationToken cancellationToken)
    {
        try
        {
            var content = await probe.FindContentAsync(
                device.Path, BlankProbe.DiskMargin, BlankProbe.DiskMargin, cancellationToken).ConfigureAwait(false);
            return content switch
            {
                null => "",
                { IsHeld: true } => content.Description,
                _ => $"{content.Description}; if nothing on it is needed, clear it with 'wipefs --all' and zero its first and last MiB",
            };
        }
        catch (StorageException e)
        {
            // One broken disk does not hide the others.
            return $"it cannot be examined: {e.Message}";
        }
    }
}
