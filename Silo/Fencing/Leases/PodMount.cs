using System.Text.Json;
using Carina.Grains;
using Carina.Silo.Mounting;

namespace Carina.Silo.Fencing.Leases;

/// <summary>A volume of ours at the place where a pod of this node gets it.</summary>
/// <param name="VolumeId">The volume handle.</param>
/// <param name="PodUid">The pod.</param>
/// <param name="Path">The target path.</param>
internal sealed record PodMount(string VolumeId, string PodUid, string Path)
{
    private const string Memory = "vol_data.json";

    /// <summary>All that are mounted now below these directories, by the kubelet's own notes of what is where.</summary>
    public static IReadOnlyList<PodMount> ReadAll(IReadOnlyCollection<string> roots) =>
    [
        .. MountTable.Read().Entries
            .Select(entry => entry.MountPoint)
            .Where(path => roots.Any(root => path.StartsWith(root.TrimEnd('/') + "/", StringComparison.Ordinal)))
            .Select(Find)
            .OfType<PodMount>()
            .Distinct(),
    ];

    /// <summary>What is mounted there; null when it is not ours, or the kubelet has no note of it.</summary>
    internal static PodMount? Find(string path)
    {
        if (!PodOptIn.TryReadUid(path, out var uid))
            return null;

        // Beside a file system; of a block device in volumeDevices/PV/data, where .../publish/PV/UID is its path.
        var parent = System.IO.Path.GetDirectoryName(path)!;
        var note = System.IO.Path.GetFileName(path) == "mount"
            ? System.IO.Path.Combine(parent, Memory)
            : System.IO.Path.Combine(parent, "../..", System.IO.Path.GetFileName(parent), "data", Memory);
        try
        {
            using var content = JsonDocument.Parse(File.ReadAllBytes(note));
            return Read(content.RootElement, "driverName") == CarinaNames.Driver && Read(content.RootElement, "volumeHandle") is { Length: > 0 } handle
                ? new PodMount(handle, uid, path)
                : null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    private static string? Read(JsonElement note, string name) =>
        note.ValueKind == JsonValueKind.Object && note.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;
}
