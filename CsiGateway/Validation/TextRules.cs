using System.Text;
using Carina.Grains.Volumes;

namespace Carina.CsiGateway.Validation;

/// <summary>Lengths and characters of names, ids and maps (CSI specification, "Size Limits").</summary>
internal static class TextRules
{
    /// <summary>Most bytes of a string for which the specification says nothing else.</summary>
    public const int MaxStringBytes = 128;

    /// <summary>Most bytes of a node's id (NodeGetInfo).</summary>
    public const int MaxNodeIdBytes = 256;

    /// <summary>Most bytes of all keys and values of a map together.</summary>
    public const int MaxMapBytes = 4096;

    /// <summary>The name a volume is asked for by.</summary>
    public static void CheckName(string name)
    {
        CheckString("name", name, MaxStringBytes);
        if (name.Contains('/', StringComparison.Ordinal))
        {
            throw Refusal.Invalid("name", $"{Refusal.Quote(name)} contains \"/\"; give a name without slashes.");
        }
    }

    /// <summary>A volume's id, which need not be one of ours.</summary>
    public static void CheckVolumeId(string volumeId) => CheckString("volume_id", volumeId, MaxStringBytes);

    /// <summary>A volume's id that must be one of ours.</summary>
    /// <exception cref="Grains.Errors.StorageException">NotFound when this driver can never have given it out.</exception>
    public static void CheckKnownVolumeId(string volumeId)
    {
        CheckVolumeId(volumeId);
        RequireWellFormed(volumeId);
    }

    /// <summary>NotFound for an id that this driver can never have given out.</summary>
    public static void RequireWellFormed(string volumeId)
    {
        if (!VolumeIds.IsWellFormed(volumeId))
        {
            throw Refusal.UnknownVolume(volumeId);
        }
    }

    /// <summary>A node's id.</summary>
    public static void CheckNodeId(string nodeId) => CheckString("node_id", nodeId, MaxNodeIdBytes);

    /// <summary>A required string.</summary>
    public static void CheckString(string field, string value, int maxBytes)
    {
        if (value.Length == 0)
        {
            throw Refusal.Missing(field);
        }

        CheckLength(field, value, maxBytes);
        if (HasControlCharacters(value))
        {
            throw Refusal.Invalid(field, $"{Refusal.Quote(value)} contains control characters; leave them out.");
        }
    }

    /// <summary>Length of a string in bytes of UTF-8.</summary>
    public static void CheckLength(string field, string value, int maxBytes)
    {
        var bytes = Encoding.UTF8.GetByteCount(value);
        if (bytes > maxBytes)
        {
            throw Refusal.Invalid(
                field, $"{Refusal.Quote(value)} is {bytes} bytes long; at most {maxBytes} are allowed.");
        }
    }

    /// <summary>Size of a map.</summary>
    public static void CheckMap(string field, IEnumerable<KeyValuePair<string, string>> map)
    {
        long bytes = 0;
        foreach (var (key, value) in map)
        {
            bytes += Encoding.UTF8.GetByteCount(key) + Encoding.UTF8.GetByteCount(value);
        }

        if (bytes > MaxMapBytes)
        {
            throw Refusal.Invalid(
                field, $"holds {bytes} bytes of keys and values; at most {MaxMapBytes} are allowed.");
        }
    }

    public static bool HasControlCharacters(string value) => value.AsSpan().ContainsAnyInRange('\0', '\u001F')
        || value.AsSpan().ContainsAnyInRange('\u007F', '\u009F');
}
