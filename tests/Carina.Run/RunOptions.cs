using Carina.Harness.Policies;

namespace Carina.Run;

/// <summary>The command line.</summary>
internal sealed record RunOptions(StoragePolicy Policy, bool Keep)
{
    public const string Usage =
        """
        usage: run [--policy file|lvm] [--keep]

          --policy  what the nodes' pools are made of: files behind loop devices, or volume groups.
                    Default: lvm where the kernel has device-mapper, else file.
          --keep    leave the cluster up at the end and say where its sockets are; Ctrl-C ends it.
        """;

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
}
