using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Carina.Grains.Errors;
using Carina.Silo.Linux;
using Carina.Silo.Processes;

namespace Carina.Silo.Disks;

/// <summary>Lists this node's block devices with one run of lsblk(8).</summary>
internal sealed class BlockDeviceScanner(ICommandRunner runner)
{
    private static readonly string[] _arguments =
    [
        "--json", "--bytes", "--paths",
        "--output", "NAME,KNAME,FSTYPE,PTTYPE,PARTLABEL,MOUNTPOINTS,SIZE,STATE,TYPE,ROTA,RO,PKNAME,MAJ:MIN",
    ];

    /// <summary>All block devices, each once, in the order of lsblk.</summary>
    /// <exception cref="StorageException">Internal when lsblk fails or says what we do not understand.</exception>
    public async Task<IReadOnlyList<BlockDevice>> ScanAsync(CancellationToken cancellationToken)
    {
        var result = await runner.RunAsync("lsblk", _arguments, cancellationToken).ConfigureAwait(false);

        // 32: nothing to list. 64: some devices vanished meanwhile (lsblk(8)).
        return result.ExitCode switch
        {
            0 or 64 => Parse(result.Output),
            32 => [],
            _ => throw new StorageException(
                StorageErrorCode.Internal, $"lsblk could not list the disks of this node (exit {result.ExitCode}): {result.Error}"),
        };
    }

    internal static IReadOnlyList<BlockDevice> Parse(string json)
    {
        try
        {
            // A device that is built on several others (RAID) is listed below each of them.
            var found = new Dictionary<string, BlockDevice>(StringComparer.Ordinal);
            Collect(JsonNode.Parse(json)?["blockdevices"] as JsonArray, parent: "", found);
            return [.. found.Values];
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or OverflowException)
        {
            throw new StorageException(StorageErrorCode.Internal, $"The output of lsblk is not understood: {e.Message}", e);
        }
    }

    private static void Collect(JsonArray? nodes, string parent, Dictionary<string, BlockDevice> found)
    {
        foreach (var node in nodes ?? [])
        {
            if (node is null)
                continue;

            var children = node["children"] as JsonArray;
            var path = Text(node, "name");
            if (path.Length == 0)
                throw new FormatException("a device without a name");

            found.TryAdd(path, Read(node, path, parent, children));
            Collect(children, path, found);
        }
    }

    private static BlockDevice Read(JsonNode node, string path, string parent, JsonArray? children)
    {
        var number = Text(node, "maj:min").Split(':');
        var device = new DeviceNumber(
            int.Parse(number[0], CultureInfo.InvariantCulture), int.Parse(number[1], CultureInfo.InvariantCulture));
        return new BlockDevice
        {
            Path = path,
            KernelPath = Text(node, "kname"),
            Number = device,
            Bytes = long.Parse(Text(node, "size"), CultureInfo.InvariantCulture),
            Type = Text(node, "type"),
            Signature = Text(node, "fstype"),
            PartitionTable = Text(node, "pttype"),
            PartitionName = Text(node, "partlabel"),
            MountPoints = [.. (node["mountpoints"] as JsonArray ?? []).Select(m => m?.ToString() ?? "").Where(m => m.Length > 0)],
            State = Text(node, "state"),
            Rotational = IsTrue(node, "rota"),
            ReadOnly = IsTrue(node, "ro"),
            Parent = Text(node, "pkname") is { Length: > 0 } named ? named : parent,
            Children = [.. (children ?? []).Select(child => Text(child!, "name"))],
            BackingFile = BlockDeviceNode.ReadSysfs(device, "loop/backing_file") ?? "",
        };
    }

    // Versions of lsblk differ in what they quote.
    private static string Text(JsonNode node, string key) => node[key]?.ToString() ?? "";

    private static bool IsTrue(JsonNode node, string key) => Text(node, key) is "1" or "true" or "True";
}
