using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Carina.RecordWriter;

/// <summary>How records get to the disk.</summary>
public enum WritingWay
{
    /// <summary>write(2) and fdatasync(2).</summary>
    Buffered,

    /// <summary>The same with O_DIRECT.</summary>
    Direct,

    /// <summary>A shared mapping and msync(2).</summary>
    Mapped,
}

/// <summary>
/// A file or block device of numbered records, each written down to the disk before the next. Says of each when it was
/// begun and when the kernel acknowledged it, by the clock of <see cref="Stopwatch"/>, which all processes share.
/// </summary>
public sealed unsafe partial class RecordFile
{
    /// <summary>Size of a record in bytes.</summary>
    public const int RecordBytes = 4096;

    /// <summary>Records that have room; the next one goes where the first was.</summary>
    public const int Records = 16384;

    private const long Bytes = (long)Records * RecordBytes;
    private const int ReadWrite = 2;
    private const int Create = 0x40;
    private const int DirectX86 = 0x4000;
    private const int DirectArm = 0x10000;
    private const int ReadAndWrite = 3;
    private const int Shared = 1;
    private const int Synchronously = 4;

    private readonly int _file;
    private readonly byte* _record;
    private readonly byte* _mapping;

    private RecordFile(int file, byte* record, byte* mapping)
    {
        _file = file;
        _record = record;
        _mapping = mapping;
    }

    /// <summary>Opens or makes it.</summary>
    /// <exception cref="IOException">The kernel refused.</exception>
    public static RecordFile Open(string path, WritingWay way)
    {
        var direct = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? DirectArm : DirectX86;
        var file = OpenFile(path, ReadWrite | Create | (way == WritingWay.Direct ? direct : 0), 0x180);
        if (file < 0)
            throw Failed("open " + path);

        // A device has its size.
        if (way == WritingWay.Mapped && !path.StartsWith("/dev/", StringComparison.Ordinal) && new FileInfo(path).Length < Bytes)
            _ = FTruncate(file, Bytes);

        var mapping = way == WritingWay.Mapped ? MMap(0, (nuint)Bytes, ReadAndWrite, Shared, file, 0) : 0;
        if (mapping == -1)
            throw Failed("map " + path);

        return new RecordFile(file, (byte*)NativeMemory.AlignedAlloc(RecordBytes, RecordBytes), (byte*)mapping);
    }

    /// <summary>
    /// Writes until it is killed. Prints <c>ok NUMBER BEGUN ACKNOWLEDGED</c> for each record that the kernel acknowledged
    /// and <c>failed NUMBER BEGUN ERRNO</c> for others.
    /// </summary>
    public void WriteForEver(Stream output)
    {
        for (var number = 0L; ; number++)
        {
            var begun = Stopwatch.GetTimestamp();
            Fill(new Span<byte>(_record, RecordBytes), number);
            var done = Write(number % Records * RecordBytes);
            var errno = Marshal.GetLastPInvokeError();
            var line = done
                ? string.Create(CultureInfo.InvariantCulture, $"ok {number} {begun} {Stopwatch.GetTimestamp()}\n")
                : string.Create(CultureInfo.InvariantCulture, $"failed {number} {begun} {errno}\n");
            output.Write(Encoding.ASCII.GetBytes(line));
            if (!done)
                Thread.Sleep(2);
        }
    }

    /// <summary>What a record holds: its number, over and over.</summary>
    public static void Fill(Span<byte> record, long number)
    {
        for (var i = 0; i < record.Length; i += sizeof(long))
            BinaryPrimitives.WriteInt64LittleEndian(record[i..], number);
    }

    private bool Write(long offset)
    {
        if (_mapping != null)
        {
            Buffer.MemoryCopy(_record, _mapping + offset, RecordBytes, RecordBytes);
            return MSync((nint)(_mapping + offset), RecordBytes, Synchronously) == 0;
        }

        return PWrite(_file, _record, RecordBytes, offset) == RecordBytes && FDataSync(_file) == 0;
    }

    private static IOException Failed(string what) =>
        new($"Cannot {what}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    private static partial int FTruncate(int file, long length);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint MMap(nint address, nuint length, int protection, int flags, int file, long offset);

    [LibraryImport("libc", EntryPoint = "msync", SetLastError = true)]
    private static partial int MSync(nint address, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    private static partial nint PWrite(int file, byte* data, nuint length, long offset);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int FDataSync(int file);
}
