using Carina.Grains.Configuration;
using Carina.Grains.Nodes;

namespace Carina.Grains.Placement.Pods;

/// <summary>A pool while a pod is planned: what its ledger says is left, less what is on its way there.</summary>
internal sealed class PoolRoom(PoolCapacity capacity)
{
    public string Name => capacity.Name;

    public PoolPolicy Policy => capacity.Policy;

    public string Problem => capacity.Problem;

    /// <summary>What an empty pool would have.</summary>
    public long SizeBytes => capacity.SizeBytes;

    public long Granularity { get; } = Math.Max(1, capacity.GranularityBytes);

    /// <summary>Bytes left; negative when more is on its way than there is room for.</summary>
    public long Free { get; private set; } = capacity.AvailableBytes;

    /// <summary>Bytes on their way here.</summary>
    public long Expected { get; private set; }

    /// <summary>Whether volumes of this release can be made in it.</summary>
    public bool IsUsable => Policy is PoolPolicy.Lvm or PoolPolicy.File;

    /// <summary>What a volume takes: the ledger promises whole units.</summary>
    public Int128 RoundUp(long bytes) => ((Int128)bytes + Granularity - 1) / Granularity * Granularity;

    public void Expect(long bytes)
    {
        // Room for nonsense, of which a claim can ask, is not to be found anywhere; it must not overflow.
        var taken = (long)Int128.Min(RoundUp(bytes), long.MaxValue / 4);
        Free = Math.Max(Free - taken, long.MinValue / 2);
        Expected = Math.Min(Expected + taken, long.MaxValue / 2);
    }
}
