using System.Runtime.InteropServices;
using Carina.Grains.Errors;
using Carina.Silo.Linux;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Copying;

/// <summary>A stretch of a volume.</summary>
/// <param name="File">The file or device that it lies in, opened for direct I/O.</param>
/// <param name="Offset">Where in there, in bytes.</param>
/// <param name="Bytes">Its length.</param>
internal sealed record ContentExtent(SafeFileHandle File, long Offset, long Bytes);

/// <summary>What a volume holds, open: extents one behind the other.</summary>
internal sealed class VolumeContent(IReadOnlyList<ContentExtent> extents) : IDisposable
{
    // The largest sectors that disks have.
    private const int Alignment = 4096;

    /// <summary>Size in bytes.</summary>
    public long Bytes { get; } = extents.Sum(extent => extent.Bytes);

    /// <summary>Memory as direct I/O wants it.</summary>
    public static Memory<byte> AllocateBuffer(int bytes)
    {
        var array = GC.AllocateUninitializedArray<byte>(bytes + Alignment, pinned: true);
        var start = (int)(Marshal.UnsafeAddrOfPinnedArrayElement(array, 0) % Alignment);
        return array.AsMemory(start == 0 ? 0 : Alignment - start, bytes);
    }

    /// <summary>Opens a file or device past the page cache.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="flags">How, besides.</param>
    /// <exception cref="StorageException">It cannot be opened so; FailedPrecondition when somebody else uses it.</exception>
    public static SafeFileHandle OpenDirect(string path, OpenFlags flags) =>
        LinuxFile.TryOpen(null, path, flags | OpenFlags.Direct | OpenFlags.NonBlocking, out var errno) ?? throw (errno == Errno.EBUSY
            ? new StorageException(StorageErrorCode.FailedPrecondition, $"{path} is in use; nothing is written to it.")
            : LinuxError.From(errno, $"open {path} past the page cache"));

    /// <summary>Fills an aligned buffer. Blocks for as long as the disk takes.</summary>
    /// <exception cref="StorageException">The disk failed, or there is less.</exception>
    public void Read(long offset, Span<byte> buffer)
    {
        var done = 0;
        foreach (var (file, position, length) in Find(offset, buffer.Length))
        {
            for (var end = done + length; done < end;)
            {
                var from = position + length - (end - done);
                var read = Guard($"read at {offset + done}", buffer[done..end], (part, f) => RandomAccess.Read(f.File, part, f.From), (File: file, From: from));
                if (read == 0)
                    throw new StorageException(StorageErrorCode.Internal, $"The volume ends at {offset + done} instead of {Bytes} bytes.");

                done += read;
            }
        }
    }

    /// <summary>Writes an aligned buffer. Blocks for as long as the disk takes.</summary>
    /// <exception cref="StorageException">The disk failed.</exception>
    public void Write(long offset, Span<byte> buffer)
    {
        var done = 0;
        foreach (var (file, position, length) in Find(offset, buffer.Length))
        {
            Guard($"written at {offset + done}", buffer.Slice(done, length), (part, f) =>
            {
                RandomAccess.Write(f.File, part, f.Position);
                return part.Length;
            }, (File: file, Position: position));
            done += length;
        }
    }

    /// <summary>Returns when all that was written is on disk.</summary>
    public void Flush()
    {
        foreach (var file in extents.Select(extent => extent.File).Distinct())
            LinuxFile.Flush(file);
    }

    public void Dispose()
    {
        foreach (var extent in extents)
            extent.File.Dispose();
    }

    private delegate int Work<in TState>(Span<byte> part, TState state);

    private static int Guard<TState>(string what, Span<byte> part, Work<TState> work, TState state)
    {
        try
        {
            return work(part, state);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new StorageException(StorageErrorCode.Internal, $"The volume cannot be {what} bytes: {exception.Message}", exception);
        }
    }

    private IEnumerable<(SafeFileHandle File, long Position, int Length)> Find(long offset, int bytes)
    {
        var start = 0L;
        foreach (var extent in extents)
        {
            var (first, last) = (Math.Max(offset, start), Math.Min(offset + bytes, start + extent.Bytes));
            if (first < last)
                yield return (extent.File, extent.Offset + first - start, (int)(last - first));

            start += extent.Bytes;
        }
    }
}
