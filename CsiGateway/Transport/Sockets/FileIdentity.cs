using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;

namespace Carina.CsiGateway.Transport.Sockets;

/// <summary>
/// Which file a path leads to, links not followed: statx(2). The time of birth tells apart files that got the same
/// inode number one after the other, where the file system records it.
/// </summary>
internal readonly record struct FileIdentity(
    uint DeviceMajor, uint DeviceMinor, ulong Inode, long BornSeconds, uint BornNanoseconds, bool IsSocket)
{
    private const int CurrentDirectory = -100; // AT_FDCWD
    private const int NoFollow = 0x100; // AT_SYMLINK_NOFOLLOW
    private const uint TypeInodeBirth = 0x001 | 0x100 | 0x800; // STATX_TYPE, STATX_INO, STATX_BTIME
    private const int FormatMask = 0xf000; // S_IFMT
    private const int SocketFormat = 0xc000; // S_IFSOCK
    private const int NoSuchFile = 2; // ENOENT
    private const int NotADirectory = 20; // ENOTDIR

    /// <summary>The file at <paramref name="path"/>, or null if there is none.</summary>
    /// <exception cref="Win32Exception">It cannot be told.</exception>
    public static FileIdentity? Of(string path)
    {
        // struct statx is the same on every architecture.
        var buffer = new byte[256];
        if (statx(CurrentDirectory, Encoding.UTF8.GetBytes(path + '\0'), NoFollow, TypeInodeBirth, buffer) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error is NoSuchFile or NotADirectory)
                return null;
            throw new Win32Exception(error, $"statx {path}: {Marshal.GetPInvokeErrorMessage(error)}");
        }

        return new FileIdentity(
            Field<uint>(136), Field<uint>(140), Field<ulong>(32), Field<long>(80), Field<uint>(88),
            (Field<ushort>(28) & FormatMask) == SocketFormat);

        T Field<T>(int offset) where T : struct => MemoryMarshal.Read<T>(buffer.AsSpan(offset));
    }

    [DllImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int statx(int directory, byte[] path, int flags, uint mask, byte[] buffer);
}
