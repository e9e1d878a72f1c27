using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Carina.Grains.Volumes;

namespace Carina.Grains.Failover;

/// <summary>
/// The handle under which a node keeps a retired copy: another one than the volume's, so that the node can have the volume
/// itself again beside it.
/// </summary>
public static class RetiredCopyId
{
    /// <summary>Stands between the volume's handle and the generation; no volume's own handle contains it.</summary>
    public const string Mark = ".retired-";

    private const int HashBytes = 20;

    /// <summary>The handle of one copy.</summary>
    public static string Of(string volumeId, long generation)
    {
        ArgumentException.ThrowIfNullOrEmpty(volumeId);
        var suffix = Mark + generation.ToString(CultureInfo.InvariantCulture);
        return volumeId.Length + suffix.Length <= VolumeIds.MaxLength
            ? volumeId + suffix
            : CarinaNames.VolumePrefix + "r-"
                + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(volumeId)).AsSpan(0, HashBytes)) + suffix;
    }

    /// <summary>The handle of the volume that this is a copy of; null when it is no copy's, or that cannot be told.</summary>
    public static string? VolumeOf(string handle)
    {
        ArgumentNullException.ThrowIfNull(handle);
        var mark = handle.LastIndexOf(Mark, StringComparison.Ordinal);
        return mark > 0 ? handle[..mark] : null;
    }
}
