using System.Globalization;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Silo.Linux;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Backends.Files;

/// <summary>A volume's file at one instant.</summary>
internal sealed record VolumeFileInfo(string VolumeId, long Generation, FileStatus Status)
{
    public FileIdentity Identity => VolumeFile.IdentityOf(Status);
}

/// <summary>
/// A volume's file, open. That it is ours, whose it is and of which generation is written in its extended attributes
/// before it has a name, so a file without them is not ours, whatever it is called.
/// </summary>
internal sealed class VolumeFile : IDisposable
{
    private const string Extension = ".img";
    private const string VolumeAttribute = "user.carina.volume";
    private const string GenerationAttribute = "user.carina.generation";
    private const string FormattedAttribute = "user.carina.formatted";
    private const uint OwnerOnly = 0x180;

    private VolumeFile(SafeFileHandle handle, string volumeId, long generation)
    {
        Handle = handle;
        VolumeId = volumeId;
        Generation = generation;
    }

    public SafeFileHandle Handle { get; }

    public string VolumeId { get; }

    public long Generation { get; }

    public FileStatus Status => LinuxFile.Status(Handle);

    public FileIdentity Identity => IdentityOf(Status);

    public VolumeFileInfo Info => new(VolumeId, Generation, Status);

    public static string NameOf(string volumeId) => volumeId + Extension;

    /// <summary>The volume that a file of this name would be; null for other names.</summary>
    public static string? VolumeOf(string fileName) =>
        fileName.EndsWith(Extension, StringComparison.Ordinal) && VolumeIds.IsWellFormed(fileName[..^Extension.Length])
            ? fileName[..^Extension.Length]
            : null;

    public static FileIdentity IdentityOf(in FileStatus status) => new(status.Device, status.Inode);

    /// <summary>Opens a volume's file; null when there is none.</summary>
    /// <exception cref="StorageException">FailedPrecondition when what has its name is not ours.</exception>
    public static VolumeFile? TryOpen(SafeFileHandle? directory, string path, string volumeId, bool writable = false) =>
        TryOpen(directory, path, [volumeId], writable);

    /// <summary>As <see cref="TryOpen(SafeFileHandle?, string, string, bool)"/>, for a file that is one of several volumes.</summary>
    public static VolumeFile? TryOpen(SafeFileHandle? directory, string path, IReadOnlyList<string> volumeIds, bool writable = false)
    {
        var flags = OpenFlags.NoFollow | OpenFlags.NonBlocking | (writable ? OpenFlags.ReadWrite : OpenFlags.Read);
        var handle = LinuxFile.TryOpen(directory, path, flags, out var errno);
        if (handle is null)
        {
            return errno switch
            {
                Errno.ENOENT => null,
                Errno.ELOOP => throw NotOurs(path, "it is a symbolic link"),
                _ => throw LinuxError.From(errno, $"open {path}"),
            };
        }

        try
        {
            if (LinuxFile.Status(handle).Kind != FileKind.Regular)
                throw NotOurs(path, "it is not a regular file");

            var volumeId = LinuxFile.GetAttribute(handle, VolumeAttribute);
            if (volumeId is null || !volumeIds.Contains(volumeId))
                throw NotOurs(path, $"its attribute {VolumeAttribute} does not say that it is volume {volumeIds[0]}");

            if (!long.TryParse(
                LinuxFile.GetAttribute(handle, GenerationAttribute), NumberStyles.None, CultureInfo.InvariantCulture, out var generation))
            {
                throw NotOurs(path, $"it has no attribute {GenerationAttribute}");
            }

            var result = new VolumeFile(handle, volumeId, generation);
            handle = null;
            return result;
        }
        finally
        {
            handle?.Dispose();
        }
    }

    /// <summary>
    /// Makes a volume's file. It has no name until it is complete and on disk, so a crash on the way leaves nothing.
    /// </summary>
    /// <exception cref="StorageException">The name is taken, or the disk is full.</exception>
    public static void Create(SafeFileHandle directory, DiskVolumeKey key, long bytes)
    {
        using var file = OpenTemporary(directory);
        SetIdentity(file, key.VolumeId, key.Generation);
        LinuxFile.SetSize(file, bytes);
        LinuxFile.Flush(file);
        LinuxFile.Name(file, directory, NameOf(key.VolumeId));
        LinuxFile.Flush(directory);
    }

    /// <summary>Tries on a nameless file what <see cref="Create"/> needs of the file system.</summary>
    public static void Rehearse(SafeFileHandle directory)
    {
        using var file = OpenTemporary(directory);
        SetIdentity(file, "rehearsal", 0);
    }

    /// <summary>Whether a file system was made in it; survives everything but the file's deletion.</summary>
    public bool WasFormatted => LinuxFile.GetAttribute(Handle, FormattedAttribute) is not null;

    public void RememberFormatted()
    {
        LinuxFile.SetAttribute(Handle, FormattedAttribute, "yes");
        LinuxFile.Flush(Handle);
    }

    /// <summary>Makes it another volume; which one is said last.</summary>
    public void Rename(DiskVolumeKey key)
    {
        LinuxFile.SetAttribute(Handle, GenerationAttribute, key.Generation.ToString(CultureInfo.InvariantCulture));
        LinuxFile.Flush(Handle);
        LinuxFile.SetAttribute(Handle, VolumeAttribute, key.VolumeId);
        LinuxFile.Flush(Handle);
    }

    public void Grow(long bytes)
    {
        LinuxFile.SetSize(Handle, bytes);
        LinuxFile.Flush(Handle);
    }

    public void Dispose() => Handle.Dispose();

    private static SafeFileHandle OpenTemporary(SafeFileHandle directory) =>
        LinuxFile.Open(directory, ".", OpenFlags.Temporary | OpenFlags.ReadWrite, OwnerOnly);

    private static void SetIdentity(SafeFileHandle file, string volumeId, long generation)
    {
        LinuxFile.SetAttribute(file, VolumeAttribute, volumeId);
        LinuxFile.SetAttribute(file, GenerationAttribute, generation.ToString(CultureInfo.InvariantCulture));
    }

    private static StorageException NotOurs(string path, string reason) => new(
        StorageErrorCode.FailedPrecondition, $"The file {path} is not provably ours and is left alone: {reason}.");
}
