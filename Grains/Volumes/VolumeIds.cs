using System.Security.Cryptography;
using System.Text;
using Carina.Grains.Failover;

namespace Carina.Grains.Volumes;

/// <summary>Derives volume handles from the names that volumes are asked for by.</summary>
public static class VolumeIds
{
    /// <summary>Longest handle in characters; leaves room for the prefix within LVM's 127 for a logical volume.</summary>
    public const int MaxLength = 110;

    /// <summary>
    /// The handle of the volume with this name: <c>volume-&lt;name&gt;</c> where that is a legal name of a logical
    /// volume and of a Kubernetes object, otherwise <c>volume-</c> and a hash of the exact name, so that names that
    /// differ only in case or only beyond some length stay apart.
    /// </summary>
    public static string FromName(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (IsPlain(name) && !name.Contains(RetiredCopyId.Mark, StringComparison.Ordinal))
        {
            return CarinaNames.VolumePrefix + name;
        }

        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(name));
        return CarinaNames.VolumePrefix + "h-" + Convert.ToHexStringLower(hash.AsSpan(0, 20));
    }

    /// <summary>Whether a string has the form of a handle that this driver could have given out.</summary>
    public static bool IsWellFormed(string volumeId) =>
        volumeId.Length <= MaxLength
        && volumeId.StartsWith(CarinaNames.VolumePrefix, StringComparison.Ordinal)
        && IsPlain(volumeId.AsSpan(CarinaNames.VolumePrefix.Length));

    // A DNS-1123 subdomain without consecutive dots; also within what lvm(8) accepts for names.
    private static bool IsPlain(ReadOnlySpan<char> name)
    {
        if (name.IsEmpty || name.Length > MaxLength - CarinaNames.VolumePrefix.Length)
        {
            return false;
        }

        var previous = '.';
        foreach (var c in name)
        {
            var alphanumeric = char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c);
            if (!alphanumeric && (c is not ('-' or '.') || previous is '.' || (c is '.' && previous is '-')))
            {
                return false;
            }

            previous = c;
        }

        // Reserved within LVM (lvm(8), "Names"); a hash never contains them.
        return previous is not ('-' or '.')
            && !name.Contains("_mlog", StringComparison.Ordinal);
    }
}
