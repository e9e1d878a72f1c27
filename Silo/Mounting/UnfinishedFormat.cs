using System.Buffers.Binary;

namespace Carina.Silo.Mounting;

/// <summary>
/// Recognises a device on which mkfs was interrupted, for instance by loss of power: such a device is not blank and not
/// a file system either, and nobody can have stored anything in it, because it has never been mountable.
/// </summary>
internal static class UnfinishedFormat
{
    /// <summary>Bytes at the start of the device that <see cref="IsIn"/> looks at.</summary>
    public const int HeadBytes = 4096;

    private const int Ext4Superblock = 1024;

    /// <summary>Whether the head of a device is that of an unfinished format.</summary>
    public static bool IsIn(ReadOnlySpan<byte> head) => IsXfsInProgress(head) || IsExt4WithoutMagic(head);

    // sb_magicnum and sb_inprogress of the XFS superblock (xfs_format.h): mkfs.xfs clears the latter at its very end, and
    // the kernel mounts nothing that has it.
    private static bool IsXfsInProgress(ReadOnlySpan<byte> head) =>
        head.StartsWith("XFSB"u8) && head[126] == 1;

    // mkfs.ext4 fills in the magic number last. In a superblock that was damaged later the times and counts of its
    // mounts are not zero (s_mtime at 44, s_mnt_count at 52, s_magic at 56; ext4 documentation, "Super Block").
    private static bool IsExt4WithoutMagic(ReadOnlySpan<byte> head)
    {
        var super = head[Ext4Superblock..(Ext4Superblock + 1024)];
        var neverMounted = BinaryPrimitives.ReadUInt32LittleEndian(super[44..]) == 0
            && BinaryPrimitives.ReadUInt16LittleEndian(super[52..]) == 0;
        var hasBlocks = BinaryPrimitives.ReadUInt32LittleEndian(super) != 0 && BinaryPrimitives.ReadUInt32LittleEndian(super[4..]) != 0;
        return hasBlocks
            && neverMounted
            && BinaryPrimitives.ReadUInt16LittleEndian(super[56..]) == 0
            && head[..Ext4Superblock].IndexOfAnyExcept((byte)0) < 0;
    }
}
