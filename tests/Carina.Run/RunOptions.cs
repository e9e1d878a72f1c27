using System.Globalization;
using Carina.Harness.Policies;

namespace Carina.Run;

/// <summary>The command line.</summary>
internal sealed record RunOptions(StoragePolicy Policy, bool Keep)
{
    private const int MaxNodes = 20;
    private const int MaxDiskGiB = 4096;

    public const string Usage =
        """
        usage: run [--policy file|lvm] [--nodes N] [--disk-gib N] [--max-volumes N] [--keep]

          --policy       what the nodes' pools are made of: files behind loop devices, or volume groups.
                         Default: lvm where the kernel has device-mapper, else file.
          --nodes        nodes beside the controller; default 3.
          --disk-gib     size of each node's disk in GiB, sparse; default 2.
          --max-volumes  most volumes published to a node at a time; default 1000.
          --keep         leave the cluster up at the end and say where its sockets are; Ctrl-C ends it.
        """;

    /// <summary>Nodes beside the controller.</summary>
    public int Nodes { get; private init; } = 3;

    /// <summary>Size of each node's disk in bytes.</summary>
    public long DiskBytes { get; private init; } = 2L << 30;

    /// <summary>Most volumes published to a node at a time.</summary>
    public int MaxVolumes { get; private init; } = 1000;

    /// <summary>Reads the command line; null with the reason when it makes no sense.</summary>
    public static RunOptions? Parse(IReadOnlyList<string> arguments, out string problem)
    {
        var options = new RunOptions(StoragePolicy.Default, Keep: false);
        problem = "";
        for (var i = 0; i < arguments.Count; i++)
        {
            var argument = arguments[i];
            if (argument == "--keep")
            {
                options = options with { Keep = true };
            }
            else if (argument == "--policy" && i + 1 < arguments.Count && arguments[i + 1] is "file" or "lvm")
            {
                options = options with { Policy = arguments[++i] == "lvm" ? StoragePolicy.Lvm : StoragePolicy.File };
            }
            else if (i + 1 < arguments.Count && options.TryWith(argument, arguments[i + 1]) is { } changed)
            {
                options = changed;
                i++;
            }
            else
            {
                problem = $"'{argument}' is not understood here.";
                return null;
            }
        }

        if (options.Policy == StoragePolicy.Lvm && !StoragePolicy.HasDeviceMapper)
        {
            problem = "This kernel has no device-mapper, which --policy lvm needs (./run --uml brings its own kernel).";
            return null;
        }

        return options;
    }

    private RunOptions? TryWith(string argument, string text) =>
        !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) || value == 0 ? null : argument switch
        {
            "--nodes" when value <= MaxNodes => this with { Nodes = value },
            "--disk-gib" when value <= MaxDiskGiB => this with { DiskBytes = (long)value << 30 },
            "--max-volumes" => this with { MaxVolumes = value },
            _ => null,
        };
}
