using Carina.Grains.Errors;

namespace Carina.Silo.Processes;

/// <summary>Finds programs, and says which Debian package brings the one that is missing.</summary>
internal static class ProgramPath
{
    // Services often start without the administrator's directories in PATH.
    private static readonly string[] _administration = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

    private static readonly Dictionary<string, string> _packages = new(StringComparer.Ordinal)
    {
        ["blkid"] = "util-linux",
        ["blockdev"] = "util-linux",
        ["lsblk"] = "util-linux",
        ["setsid"] = "util-linux",
        ["wipefs"] = "util-linux",
        ["losetup"] = "mount",
        ["mkfs.ext4"] = "e2fsprogs",
        ["e2fsck"] = "e2fsprogs",
        ["mkfs.xfs"] = "xfsprogs",
        ["xfs_growfs"] = "xfsprogs",
        ["mkfs.btrfs"] = "btrfs-progs",
        ["btrfs"] = "btrfs-progs",
        ["lvm"] = "lvm2",
        ["lvs"] = "lvm2",
        ["vgs"] = "lvm2",
        ["pvs"] = "lvm2",
        ["dmsetup"] = "dmsetup",
        ["thin_delta"] = "thin-provisioning-tools",
        ["sgdisk"] = "gdisk",
        ["sfdisk"] = "fdisk",
        ["partx"] = "util-linux",
        ["make-bcache"] = "bcache-tools",
    };

    /// <summary>The program's full path.</summary>
    /// <exception cref="StorageException">Internal when it is nowhere.</exception>
    public static string Find(string program)
    {
        if (Path.IsPathRooted(program) && File.Exists(program))
        {
            return program;
        }

        var directories = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);
        foreach (var directory in directories.Concat(_administration))
        {
            var candidate = Path.Combine(directory, program);
            if (!program.Contains('/', StringComparison.Ordinal) && File.Exists(candidate))
            {
                return candidate;
            }
        }

        var remedy = _packages.TryGetValue(Path.GetFileName(program), out var package)
            ? $"install the Debian package '{package}' in the node's image"
            : "install it in the node's image";
        throw new StorageException(
            StorageErrorCode.Internal, $"The program '{program}' is needed but is not on this node; {remedy}.");
    }
}
