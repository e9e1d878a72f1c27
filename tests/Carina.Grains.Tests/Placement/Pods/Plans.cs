using Carina.Grains.Configuration;
using Carina.Grains.Nodes;
using Carina.Grains.Placement.Pods;

namespace Carina.Grains.Tests.Placement.Pods;

/// <summary>Short words for the tests of planning.</summary>
internal static class Plans
{
    public const long GiB = 1L << 30;

    public static NodeCapacity Node(string name, params PoolCapacity[] pools) => new(name, pools, new Dictionary<string, string>());

    public static PoolCapacity Pool(
        string name, long free, long size = 1000 * GiB, PoolPolicy policy = PoolPolicy.Lvm, long granularity = 1, string problem = "") => new()
        {
            Name = name,
            Policy = policy,
            SizeBytes = size,
            AvailableBytes = free,
            AllocatedBytes = 0,
            GranularityBytes = granularity,
            Volumes = 0,
            Problem = problem,
        };

    public static ClaimDemand Claim(string name, params (string Group, long Bytes)[] parts) =>
        new() { Claim = name, Parts = [.. parts.Select(p => new PoolDemand(p.Group, p.Bytes))] };

    public static PodDemand Pod(params ClaimDemand[] claims) => new() { Claims = claims };
}
