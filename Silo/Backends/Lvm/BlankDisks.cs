using Carina.Grains.Configuration;
using Carina.Silo.Disks;
using Carina.Silo.Nodes;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Backends.Lvm;

/// <summary>A disk that a group selects.</summary>
/// <param name="Path">Path of its device node.</param>
/// <param name="Group">Name of the group.</param>
/// <param name="Refusal">Why it is not taken, for people; empty when it is blank and may be.</param>
internal sealed record CandidateDisk(string Path, string Group, string Refusal);

/// <summary>Finds disks for volume groups.</summary>
internal interface IBlankDisks
{
    /// <summary>The disks of this node that LVM groups select, and whether each may be taken.</summary>
    Task<IReadOnlyList<CandidateDisk>> FindAsync(CancellationToken cancellationToken);
}

/// <summary>
/// Asks disk discovery about all groups of the configuration, so that a disk which several select goes to the first,
/// whatever their policies.
/// </summary>
internal sealed class DiscoveredBlankDisks(
    DiskDiscovery discovery, ICarinaConfigSource config, INodeLabels labels, IOptions<SiloOptions> options) : IBlankDisks
{
    private readonly DevicePatterns _allowed = new(options.Value.LvmDevices);

    public async Task<IReadOnlyList<CandidateDisk>> FindAsync(CancellationToken cancellationToken)
    {
        var groups = config.Current.Groups;
        if (groups.All(g => g.Policy != PoolPolicy.Lvm))
            return [];

        var own = await labels.GetAsync(cancellationToken).ConfigureAwait(false);
        return
        [
            .. (await discovery.FindAsync(groups, own, cancellationToken).ConfigureAwait(false))
                .Where(disk => disk.Group is { Policy: PoolPolicy.Lvm } && _allowed.Allows(disk.Device.Path))
                .Select(disk => new CandidateDisk(disk.Device.Path, disk.Group!.Name, disk.Refusal)),
        ];
    }
}
