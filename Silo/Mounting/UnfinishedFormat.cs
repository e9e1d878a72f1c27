namespace Carina.Silo.Mounting;

/// <summary>
/// Recognises a device on which mkfs was interrupted, for instance by loss of power: it is not blank and not a file
/// system either, and nobody can have stored anything in it, because it has never been mountable. Only XFS needs this:
/// mkfs.ext4 (with blocks of 4 KiB) and mkfs.btrfs write the superblock last.
/// </summary>
internal static class UnfinishedFormat
{
    /// <summary>Bytes at the start of the device that <see cref="IsIn"/> looks at.</summary>
    public const int HeadBytes = 4096;

    private const int InProgress = 126;

    // sb_magicnum and sb_inprogress of the superblock (xfs_format.h): mkfs.xfs clears the latter at its very end, and the
    // kernel mounts nothing that has it.
    public static bool IsIn(ReadOnlySpan<byte> head) => head.StartsWith("XFSB"u8) && head[InProgress] == 1;
}
