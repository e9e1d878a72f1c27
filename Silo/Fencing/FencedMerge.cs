using System.Collections.Immutable;

namespace Carina.Silo.Fencing;

/// <summary>Brings together what two processes know of fenced volumes.</summary>
internal static class FencedMerge
{
    /// <summary>
    /// What holds when the file has changed: what this process has not touched is as the file says now; what it has added
    /// stays, unless the file has a newer generation; what it has removed is gone, unless somebody fenced it anew.
    /// </summary>
    /// <param name="before">What the file said when it was looked at last.</param>
    /// <param name="mine">What this process knows, its own changes included.</param>
    /// <param name="found">What the file says now.</param>
    public static ImmutableDictionary<string, FencedVolume> Merge(
        ImmutableDictionary<string, FencedVolume> before,
        ImmutableDictionary<string, FencedVolume> mine,
        ImmutableDictionary<string, FencedVolume> found)
    {
        var merged = found;
        foreach (var id in before.Keys.Union(mine.Keys))
        {
            var (old, own, now) = (before.GetValueOrDefault(id), mine.GetValueOrDefault(id), found.GetValueOrDefault(id));
            if (own == old)
                continue;

            if (own is null)
                merged = now == old ? merged.Remove(id) : merged;
            else if (now is null || now.Generation < own.Generation)
                merged = merged.SetItem(id, own);
        }

        return merged;
    }
}
