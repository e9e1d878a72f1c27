using Carina.Silo.Linux;

namespace Carina.Silo.Disks;

/// <summary>A block device as lsblk(8) and sysfs show it at one instant.</summary>
internal sealed record BlockDevice
{
    /// <summary>Path that people and patterns know it by, for instance <c>/dev/sdb</c> or <c>/dev/mapper/vg-lv</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Path of the kernel's own name for it, for instance <c>/dev/dm-3</c>.</summary>
    public required string KernelPath { get; init; }

    public required DeviceNumber Number { get; init; }

    public required long Bytes { get; init; }

    /// <summary>lsblk's TYPE: disk, part, loop, lvm, crypt, mpath, rom, raid1, ….</summary>
    public required string Type { get; init; }

    /// <summary>What the signature says it holds (<c>ext4</c>, <c>LVM2_member</c>, …); empty when none is known.</summary>
    public string Signature { get; init; } = "";

    /// <summary>Type of its partition table; empty when none is known. A partition shows its disk's.</summary>
    public string PartitionTable { get; init; } = "";

    /// <summary>GPT name of a partition; empty for others.</summary>
    public string PartitionName { get; init; } = "";

    /// <summary>Where it is mounted; <c>[SWAP]</c> when it is swap.</summary>
    public IReadOnlyList<string> MountPoints { get; init; } = [];

    /// <summary>The driver's state (<c>running</c>, <c>live</c>, <c>offline</c>); empty when the driver has none.</summary>
    public string State { get; init; } = "";

    public bool Rotational { get; init; }

    public bool ReadOnly { get; init; }

    /// <summary>The device it is a part of; empty for whole devices.</summary>
    public string Parent { get; init; } = "";

    /// <summary>Partitions of it and devices built on it.</summary>
    public IReadOnlyList<string> Children { get; init; } = [];

    /// <summary>The file behind a loop device; empty for others.</summary>
    public string BackingFile { get; init; } = "";
}
