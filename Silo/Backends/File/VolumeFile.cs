using System.Globalization;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Silo.Linux;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Backends.File;

/// <summary>
/// One volume's sparse file. Volume id and generation are extended attributes, written before the file has a name, so a
/// file under one of our names is either whole and provably ours, or not ours at all.
/// </summary>
/// <param name="VolumeId">The volume, as the attribute says; empty when the file is not ours.</param>
/// <param name="Generation">Its generation, as the attribute says.</param>
/// <param name="Path">Where the file is.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="AllocatedBytes">Bytes of its file system it takes up now.</param>
/// <param name="Inode">Identifies it among files that had the same name.</param>
internal sealed record VolumeFile(
    string VolumeId, long Generation, string Path, long Bytes, long AllocatedBytes, ulong Inode)
{
    public const string Extension = ".img";

    private const string VolumeAttribute = "user.carina.volume";
    private const string GenerationAttribute = "user.carina.generation";

    public static string NameOf(string volumeId) => volumeId + Extension;

    /// <summary>The file of a volume; null when there is none. One that is not ours has an empty volume id.</summary>
    public static VolumeFile? Find(SafeFileHandle directory, string volumeId)
    {
        using var file = LinuxFile.TryOpen(
            directory, NameOf(volumeId), OpenFlags.NoFollow | OpenFlags.NonBlocking, out var errno);
        return file is not null ? Read(file)
            : errno == Errno.ENOENT ? null
            : throw LinuxError.From(errno, $"open {LinuxFile.RealPathOf(directory)}/{NameOf(volumeId)}");
    }

    /// <summary>Makes the file, all or nothing.</summary>
    /// <exception cref="StorageException">ResourceExhausted, or Internal when the file system lacks what this needs.</exception>
    public static void Create(SafeFileHandle directory, DiskVolumeKey key, long bytes, ICrashPoints crash)
    {
        using var file = LinuxFile.Open(directory, ".", OpenFlags.Temporary | OpenFlags.ReadWrite, 0x180 /* 0600 */);
        LinuxFile.SetSize(file, bytes);
        LinuxFile.SetAttribute(file, VolumeAttribute, key.VolumeId);
        LinuxFile.SetAttribute(file, GenerationAttribute, key.Generation.ToString(CultureInfo.InvariantCulture));
        LinuxFile.Flush(file);
        crash.Reached("file.create.unnamed", key.VolumeId);
        LinuxFile.Name(file, directory, NameOf(key.VolumeId));
        crash.Reached("file.create.named", key.VolumeId);
        LinuxFile.Flush(directory);
    }

    /// <summary>Whether the directory's file system can hold volumes; the reason why not, or empty.</summary>
    public static string Probe(SafeFileHandle directory)
    {
        try
        {
            using var file = LinuxFile.Open(directory, ".", OpenFlags.Temporary | OpenFlags.ReadWrite, 0x180);
            LinuxFile.SetAttribute(file, VolumeAttribute, "probe");
            return "";
        }
        catch (StorageException exception)
        {
            return $"Its file system cannot hold volumes (it needs O_TMPFILE and user extended attributes, as ext4, xfs and btrfs have): {exception.Message}";
        }
    }

    public void Grow(SafeFileHandle directory, long bytes)
    {
        using var file = LinuxFile.Open(directory, NameOf(VolumeId), OpenFlags.ReadWrite | OpenFlags.NoFollow);
        LinuxFile.SetSize(file, bytes);
        LinuxFile.Flush(file);
    }

    public void Remove(SafeFileHandle directory)
    {
        LinuxFile.RemoveFile(directory, NameOf(VolumeId));
        LinuxFile.Flush(directory);
    }

    private static VolumeFile Read(SafeFileHandle file)
    {
        var status = LinuxFile.Status(file);
        var volumeId = status.Kind == FileKind.Regular ? LinuxFile.GetAttribute(file, VolumeAttribute) ?? "" : "";
        _ = long.TryParse(
            LinuxFile.GetAttribute(file, GenerationAttribute), CultureInfo.InvariantCulture, out var generation);
        return new VolumeFile(
            volumeId, generation, LinuxFile.RealPathOf(file), status.Bytes, status.AllocatedBytes, status.Inode);
    }
}
