using System.Buffers.Binary;
using Carina.Grains.Errors;
using Carina.Silo.Linux;

namespace Carina.Silo.Mounting;

/// <summary>How large an ext4 is, by its superblock (kernel documentation, filesystems/ext4, "Super Block").</summary>
/// <param name="Blocks">Number of blocks, those for its own use included.</param>
/// <param name="BlockBytes">Size of a block in bytes.</param>
internal readonly record struct Ext4Size(long Blocks, int BlockBytes)
{
    private const int Offset = 1024;
    private const int Length = 1024;
    private const ushort Magic = 0xEF53;

    /// <summary>Reads it from the device, mounted or not.</summary>
    /// <exception cref="StorageException">FailedPrecondition when the device holds no ext4.</exception>
    public static Ext4Size Read(string device)
    {
        using var file = LinuxFile.Open(null, device, OpenFlags.NonBlocking);
        Span<byte> block = stackalloc byte[Length];
        if (RandomAccess.Read(file, block, Offset) < Length
            || BinaryPrimitives.ReadUInt16LittleEndian(block[0x38..]) != Magic)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition, $"{device} has no ext4 superblock although it is mounted as one; check it with e2fsck.");
        }

        var low = BinaryPrimitives.ReadUInt32LittleEndian(block[0x04..]);
        var logBlock = BinaryPrimitives.ReadUInt32LittleEndian(block[0x18..]);
        // The upper half counts only with the feature "64bit"; otherwise its place is zero.
        var high = BinaryPrimitives.ReadUInt32LittleEndian(block[0x150..]);
        return new Ext4Size(((long)high << 32) | low, 1024 << (int)Math.Min(logBlock, 6));
    }
}
