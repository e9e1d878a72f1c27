using Carina.Grains.Errors;
using Carina.Silo.Linux;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Mounting;

/// <summary>What staging and target paths are made as, and must be.</summary>
internal static class MountPoints
{
    /// <summary>rwxr-x---, as the CSI specification suggests for directories that a driver makes.</summary>
    public const uint DirectoryMode = 0x1E8;

    /// <summary>rw-rw----.</summary>
    public const uint FileMode = 0x1B0;

    /// <summary>setgid and rwx for the group: what a volume's mount group gets on its root.</summary>
    public const uint SharedByGroup = 0x438;

    /// <exception cref="StorageException">FailedPrecondition when it is no directory, or holds something.</exception>
    public static void DemandEmptyDirectory(SafeFileHandle file, string path)
    {
        if (LinuxFile.Status(file).Kind != FileKind.Directory)
            throw Unsuitable(path, "it is not a directory");

        if (Directory.EnumerateFileSystemEntries(LinuxFile.PathOf(file)).Any())
            throw Unsuitable(path, "it is not empty, and mounting over it would hide what it holds");
    }

    /// <exception cref="StorageException">FailedPrecondition when it is no regular file, or holds something.</exception>
    public static void DemandEmptyFile(SafeFileHandle file, string path)
    {
        var status = LinuxFile.Status(file);
        if (status.Kind != FileKind.Regular || status.Bytes != 0)
            throw Unsuitable(path, "it is not an empty file");
    }

    private static StorageException Unsuitable(string path, string reason) =>
        new(StorageErrorCode.FailedPrecondition, $"Nothing can be mounted at {path}: {reason}.");
}
