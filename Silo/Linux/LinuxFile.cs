using System.Runtime.InteropServices;
using System.Text;
using Carina.Grains.Errors;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Linux;

/// <summary>How a file is opened (open(2)). Close-on-exec is always set.</summary>
[Flags]
internal enum OpenFlags
{
    Read = 0,
    ReadWrite = 1,
    Create = 2,

    /// <summary>With <see cref="Create"/>: must not exist. For a block device: nobody else may hold it so (mounts, LVM, md, swap do).</summary>
    Exclusive = 4,
    Directory = 8,

    /// <summary>Refuses a symbolic link as last component; with <see cref="PathOnly"/> opens the link itself.</summary>
    NoFollow = 16,

    /// <summary>A handle on the name only: no access to the content, no side effects on devices.</summary>
    PathOnly = 32,

    /// <summary>A nameless file in the directory.</summary>
    Temporary = 64,
    NonBlocking = 128,

    /// <summary>Past the page cache (O_DIRECT): offsets, lengths and buffers have to be aligned.</summary>
    Direct = 256,
}

/// <summary>Kinds of files (inode(7)).</summary>
internal enum FileKind
{
    Other,
    Directory,
    Regular,
    Link,
    BlockDevice,
}

/// <summary>A device number (makedev(3)).</summary>
internal readonly record struct DeviceNumber(int Major, int Minor)
{
    public override string ToString() => $"{Major}:{Minor}";
}

/// <summary>What statx(2) says of a file.</summary>
internal readonly record struct FileStatus(
    FileKind Kind, uint Permissions, uint UserId, uint GroupId, uint Links, ulong Inode, long Bytes, long AllocatedBytes,
    DeviceNumber Device, DeviceNumber SpecialDevice);

/// <summary>Two looks that give the same have seen the same content: of a file that is only ever replaced by a new one.</summary>
internal readonly record struct FileStamp(ulong Inode, long Bytes, long Seconds, uint Nanoseconds);

/// <summary>Files by handle, so that a name that changes in between cannot lead elsewhere.</summary>
internal static class LinuxFile
{
    private const int AtFdCwd = -100;
    private const int AtEmptyPath = 0x1000;
    private const int AtSymlinkNoFollow = 0x100;
    private const int AtRemoveDirectory = 0x200;
    private const int AtSymlinkFollow = 0x400;
    private const uint StatXBasicStats = 0x7ff;

    // Some flags have other values on ARM than on x86 (asm/fcntl.h).
    private static readonly bool _arm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
    private static readonly int _directory = _arm ? 0x4000 : 0x10000;
    private static readonly int _noFollow = _arm ? 0x8000 : 0x20000;
    private static readonly int _direct = _arm ? 0x10000 : 0x4000;

    /// <summary>Opens a file; null, with the error number, when that fails.</summary>
    /// <param name="directory">Where a relative <paramref name="path"/> starts; null is the current directory.</param>
    public static SafeFileHandle? TryOpen(
        SafeFileHandle? directory, string path, OpenFlags flags, out int errno, uint mode = 0)
    {
        var added = false;
        try
        {
            directory?.DangerousAddRef(ref added);
            var at = directory is null ? AtFdCwd : (int)directory.DangerousGetHandle();
            var descriptor = Libc.OpenAt(at, path, Translate(flags), mode);
            errno = descriptor < 0 ? Marshal.GetLastPInvokeError() : 0;
            return descriptor < 0 ? null : new SafeFileHandle(descriptor, ownsHandle: true);
        }
        finally
        {
            if (added)
                directory!.DangerousRelease();
        }
    }

    /// <summary>As <see cref="TryOpen"/>.</summary>
    /// <exception cref="StorageException">The file cannot be opened.</exception>
    public static SafeFileHandle Open(SafeFileHandle? directory, string path, OpenFlags flags, uint mode = 0) =>
        TryOpen(directory, path, flags, out var errno, mode) ?? throw LinuxError.From(errno, $"open {path}");

    /// <summary>Status of an open file.</summary>
    public static FileStatus Status(SafeFileHandle file) =>
        TryStatus(file, out var errno) ?? throw LinuxError.From(errno, "look at an open file");

    /// <inheritdoc cref="Status"/>
    public static FileStatus? TryStatus(SafeFileHandle file, out int errno)
    {
        errno = Libc.StatX(file, "", AtEmptyPath | AtSymlinkNoFollow, StatXBasicStats, out var buffer) == 0
            ? 0
            : Marshal.GetLastPInvokeError();
        return errno == 0 ? Convert(buffer) : null;
    }

    /// <summary>Status of what has this name, not following a link; null when it cannot be had.</summary>
    public static FileStatus? TryStatus(string path)
    {
        using var file = TryOpen(null, path, OpenFlags.PathOnly | OpenFlags.NoFollow, out _);
        return file is null ? null : TryStatus(file, out _);
    }

    /// <summary>Which content a file has; null when that cannot be found out.</summary>
    public static FileStamp? TryStamp(SafeFileHandle file) =>
        Libc.StatX(file, "", AtEmptyPath | AtSymlinkNoFollow, StatXBasicStats, out var found) == 0
            ? new FileStamp(found.Inode, (long)found.Size, found.ModifiedSeconds, found.ModifiedNanoseconds)
            : null;

    /// <inheritdoc cref="TryStamp(SafeFileHandle)"/>
    public static FileStamp? TryStamp(string path)
    {
        using var file = TryOpen(null, path, OpenFlags.PathOnly | OpenFlags.NoFollow, out _);
        return file is null ? null : TryStamp(file);
    }

    /// <summary>A path that leads to exactly this open file, whatever happens to its name.</summary>
    public static string PathOf(SafeFileHandle file) => $"/proc/self/fd/{file.DangerousGetHandle()}";

    /// <summary>The name that the kernel has for an open file now.</summary>
    public static string RealPathOf(SafeFileHandle file) =>
        new FileInfo(PathOf(file)).LinkTarget
        ?? throw new StorageException(StorageErrorCode.Internal, "Cannot read the path of an open file in /proc/self/fd.");

    public static void MakeDirectory(SafeFileHandle directory, string name, uint mode)
    {
        if (Libc.MkdirAt(directory, name, mode) != 0)
            throw Failed(errno => LinuxError.From(errno, $"make directory {RealPathOf(directory)}/{name}"));
    }

    /// <summary>Removes an empty directory.</summary>
    public static void RemoveDirectory(SafeFileHandle directory, string name)
    {
        if (Libc.UnlinkAt(directory, name, AtRemoveDirectory) != 0)
            throw Failed(errno => LinuxError.From(errno, $"remove directory {RealPathOf(directory)}/{name}"));
    }

    public static void RemoveFile(SafeFileHandle directory, string name)
    {
        if (Libc.UnlinkAt(directory, name, 0) != 0)
            throw Failed(errno => LinuxError.From(errno, $"remove file {RealPathOf(directory)}/{name}"));
    }

    /// <summary>Gives a nameless file its name; fails with EEXIST when the name is taken.</summary>
    public static void Name(SafeFileHandle file, SafeFileHandle directory, string name)
    {
        if (Libc.LinkAt(AtFdCwd, PathOf(file), directory, name, AtSymlinkFollow) != 0)
            throw Failed(errno => LinuxError.From(errno, $"give a new file the name {RealPathOf(directory)}/{name}"));
    }

    public static void SetSize(SafeFileHandle file, long bytes)
    {
        if (Libc.FTruncate(file, bytes) != 0)
            throw Failed(errno => LinuxError.From(errno, $"set the size of {RealPathOf(file)} to {bytes} bytes"));
    }

    /// <summary>Makes a file or directory survive a loss of power.</summary>
    public static void Flush(SafeFileHandle file)
    {
        if (Libc.FSync(file) != 0)
            throw Failed(errno => LinuxError.From(errno, $"write {RealPathOf(file)} to disk"));
    }

    /// <summary>Writes an extended attribute (xattr(7)).</summary>
    public static void SetAttribute(SafeFileHandle file, string name, string value)
    {
        var bytes = Encoding.UTF8.GetBytes(value);
        if (Libc.FSetXAttr(file, name, bytes, (nuint)bytes.Length, 0) != 0)
            throw LinuxError.Last($"write the extended attribute {name}");
    }

    /// <summary>An extended attribute; null when there is none, or the file system knows none.</summary>
    public static string? GetAttribute(SafeFileHandle file, string name)
    {
        Span<byte> buffer = stackalloc byte[512];
        var length = Libc.FGetXAttr(file, name, buffer, (nuint)buffer.Length);
        return length < 0 ? null : Encoding.UTF8.GetString(buffer[..(int)length]);
    }

    // The message itself needs system calls, so the error number is taken before.
    private static StorageException Failed(Func<int, StorageException> describe)
    {
        var errno = Marshal.GetLastPInvokeError();
        return describe(errno);
    }

    private static int Translate(OpenFlags flags)
    {
        const int closeOnExec = 0x80000;
        var result = closeOnExec;
        result |= flags.HasFlag(OpenFlags.ReadWrite) ? 2 : 0;
        result |= flags.HasFlag(OpenFlags.Create) ? 0x40 : 0;
        result |= flags.HasFlag(OpenFlags.Exclusive) ? 0x80 : 0;
        result |= flags.HasFlag(OpenFlags.Directory) ? _directory : 0;
        result |= flags.HasFlag(OpenFlags.NoFollow) ? _noFollow : 0;
        result |= flags.HasFlag(OpenFlags.PathOnly) ? 0x200000 : 0;
        result |= flags.HasFlag(OpenFlags.Temporary) ? 0x400000 | _directory : 0;
        result |= flags.HasFlag(OpenFlags.NonBlocking) ? 0x800 : 0;
        result |= flags.HasFlag(OpenFlags.Direct) ? _direct : 0;
        return result;
    }

    private static FileStatus Convert(in Libc.StatXBuffer buffer) => new(
        (buffer.Mode & 0xF000) switch
        {
            0x4000 => FileKind.Directory,
            0x6000 => FileKind.BlockDevice,
            0x8000 => FileKind.Regular,
            0xA000 => FileKind.Link,
            _ => FileKind.Other,
        },
        (uint)buffer.Mode & 0xFFF,
        buffer.UserId,
        buffer.GroupId,
        buffer.Links,
        buffer.Inode,
        (long)buffer.Size,
        (long)buffer.Blocks512 * 512,
        new DeviceNumber((int)buffer.DevMajor, (int)buffer.DevMinor),
        new DeviceNumber((int)buffer.RdevMajor, (int)buffer.RdevMinor));
}
