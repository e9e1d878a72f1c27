namespace Carina.Grains.Failover;

/// <summary>What becomes of a volume's data when its node is lost.</summary>
public enum FailoverData
{
    /// <summary>The volume begins empty elsewhere; for databases that replicate themselves. What Carina always did.</summary>
    Fresh,

    /// <summary>It is copied if the node's agent can still read it, otherwise left behind.</summary>
    CopyIfReachable,

    /// <summary>It is copied; while the node's agent cannot be reached, the volume stays where it is.</summary>
    Copy,
}

/// <summary>Reads <see cref="FailoverData"/> where users set it: annotations of a pod, parameters of a StorageClass.</summary>
public static class FailoverDataPolicy
{
    /// <summary>The key, in both.</summary>
    public const string Key = "carina.storage.io/failover-data";

    /// <summary>What may stand there, for people.</summary>
    public const string Values = "fresh, copy or copy-if-reachable";

    /// <summary>The policy of that name; null when there is none of it.</summary>
    public static FailoverData? Parse(string value) => value?.Trim().ToLowerInvariant() switch
    {
        "fresh" => FailoverData.Fresh,
        "copy" => FailoverData.Copy,
        "copy-if-reachable" => FailoverData.CopyIfReachable,
        _ => null,
    };

    /// <summary>
    /// What is set; null when nothing is. A value that nobody knows was meant to keep the data: it counts as
    /// <see cref="FailoverData.Copy"/>, which loses nothing.
    /// </summary>
    public static FailoverData? Find(IEnumerable<KeyValuePair<string, string>>? settings) =>
        settings?.Where(s => s.Key == Key && !string.IsNullOrWhiteSpace(s.Value)).Select(s => Parse(s.Value) ?? FailoverData.Copy)
            .Cast<FailoverData?>().FirstOrDefault();
}
