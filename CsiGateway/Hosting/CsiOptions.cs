namespace Carina.CsiGateway.Hosting;

/// <summary>What the CSI services need to know of where they run.</summary>
public sealed record CsiOptions
{
    /// <summary>Upper limit of volumes per node when nothing else is said, as in Carina 0.9 to 0.14.</summary>
    public const int DefaultMaxVolumesPerNode = 1000;

    /// <summary>Name of this node, which is also its CSI node id. Needed by the node service only.</summary>
    public string NodeName { get; init; } = "";

    /// <summary>
    /// Absolute directories below which volumes may be staged and published: kubelet's root directory, as kubelet
    /// spells it.
    /// </summary>
    public IReadOnlyList<string> AllowedPathRoots { get; init; } = ["/var/lib/kubelet"];

    /// <summary>Most volumes one node may have published at a time; 0 means no limit.</summary>
    public int MaxVolumesPerNode { get; init; } = DefaultMaxVolumesPerNode;

    /// <summary>Path of the Unix socket to listen on.</summary>
    public string Endpoint { get; init; } = "/csi/csi.sock";

    /// <summary>How long a call waits for an earlier one on the same volume before it answers ABORTED.</summary>
    public TimeSpan VolumeWait { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Refuses settings that cannot work, at start rather than at the first volume.</summary>
    /// <exception cref="ArgumentException">Says which setting and why.</exception>
    internal void Validate(CsiRole role)
    {
        if (role.HasFlag(CsiRole.Node) && (NodeName.Length is 0 or > 253 || NodeName.Contains('/', StringComparison.Ordinal)))
        {
            throw new ArgumentException($"NodeName '{NodeName}' is not the name of a node (NODE_NAME is usually set to it).");
        }

        if (AllowedPathRoots.Count == 0)
        {
            throw new ArgumentException("AllowedPathRoots is empty; name kubelet's root directory.");
        }

        foreach (var root in AllowedPathRoots)
        {
            if (!Path.IsPathFullyQualified(root) || root.Split('/').Contains("..") || root.Trim('/', '.').Length == 0)
            {
                throw new ArgumentException($"AllowedPathRoots holds '{root}', which is not an absolute directory below /.");
            }
        }

        ArgumentOutOfRangeException.ThrowIfNegative(MaxVolumesPerNode);
    }
}
