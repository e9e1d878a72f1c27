using Carina.Grains;
using Carina.Kubernetes.Resources;
using k8s.Models;

namespace Carina.Silo.Storage.Kubernetes;

/// <summary>Volume handles and the names of their LogicVolumes.</summary>
internal static class LogicVolumeNames
{
    /// <summary>Prefix of handles of directories, since Carina 0.14.</summary>
    private const string HostPrefix = "host-";

    private const int MaxLength = 253;

    /// <summary>The object's name; null when no object can bear such a handle.</summary>
    public static string? ObjectOf(string volumeId)
    {
        var name =
            volumeId.StartsWith(CarinaNames.VolumePrefix, StringComparison.Ordinal) ? volumeId[CarinaNames.VolumePrefix.Length..]
            : volumeId.StartsWith(HostPrefix, StringComparison.Ordinal) ? volumeId[HostPrefix.Length..]
            : "";
        return IsObjectName(name) ? name : null;
    }

    /// <summary>The handle that an object stands for.</summary>
    public static string HandleOf(LogicVolume item) => item.Spec.VolumeId
        ?? (item.Spec.IsLegacy && ManageTypes.Of(item) == ManageTypes.Host ? HostPrefix : CarinaNames.VolumePrefix) + item.Metadata.Name;

    /// <summary>The handle where none is written down.</summary>
    public static string DefaultHandle(string objectName) => CarinaNames.VolumePrefix + objectName;

    /// <summary>What an event about a volume refers to.</summary>
    public static V1ObjectReference Reference(string objectName, LogicVolume? item) => new()
    {
        ApiVersion = $"{CarinaApi.Group}/{CarinaApi.LogicVolumeVersion}",
        Kind = CarinaApi.LogicVolumeKind,
        Name = objectName,
        Uid = item?.Metadata.Uid,
        ResourceVersion = item?.Metadata.ResourceVersion,
    };

    // A DNS-1123 subdomain (Kubernetes, "Object Names and IDs").
    private static bool IsObjectName(string name)
    {
        var previous = '.';
        foreach (var c in name)
        {
            if (!char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c)
                && (c is not ('-' or '.') || previous is '.' || (c is '.' && previous is '-')))
            {
                return false;
            }

            previous = c;
        }

        return name.Length is > 0 and <= MaxLength && previous is not ('-' or '.');
    }
}
