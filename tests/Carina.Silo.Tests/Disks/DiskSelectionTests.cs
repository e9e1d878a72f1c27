using System.Text.RegularExpressions;
using Carina.Grains.Configuration;
using Carina.Silo.Disks;
using Carina.Silo.Linux;

namespace Carina.Silo.Tests.Disks;

public sealed class DiskSelectionTests
{
    private static readonly Dictionary<string, string> _labels = new() { ["kubernetes.io/hostname"] = "node1" };

    private static DiskGroup Group(string name, params string[] patterns) => new()
    {
        Name = name,
        Policy = PoolPolicy.Lvm,
        Patterns = [.. patterns.Select(p => new Regex(p, RegexOptions.NonBacktracking))],
    };

    private static BlockDevice Disk(string path, string type = "disk") => new()
    {
        Path = path,
        KernelPath = path,
        Number = new DeviceNumber(8, 16),
        Bytes = 20L << 30,
        Type = type,
    };

    private static SelectedDisk One(BlockDevice device, params DiskGroup[] groups) =>
        Assert.Single(DiskSelection.Select(groups, [device], _labels));

    [Theory]
    [InlineData("/dev/sdb", "sd[b-z]", true)]
    [InlineData("/dev/sdb", "/dev/sdb$", true)]
    [InlineData("/dev/sdb", "^sdb", false)]
    [InlineData("/dev/loop22", "loop2+", true)]
    [InlineData("/dev/loop3", "loop2+", false)]
    [InlineData("/dev/nvme0n1", "db|nvme", true)]
    public void Patterns_match_anywhere_in_the_full_path(string path, string pattern, bool taken) =>
        Assert.Equal(taken, One(Disk(path), Group("g", pattern)).IsTaken);

    [Theory]
    [InlineData("disk", true)]
    [InlineData("part", true)]
    [InlineData("loop", true)]
    [InlineData("raid1", true)]
    [InlineData("lvm", false)]
    [InlineData("crypt", false)]
    [InlineData("mpath", false)]
    [InlineData("rom", false)]
    public void Types_are_taken_or_not(string type, bool taken) =>
        Assert.Equal(taken, One(Disk("/dev/sdb", type), Group("g", "sdb")).IsTaken);

    [Fact]
    public void Each_sign_of_use_refuses_with_a_reason()
    {
        var disk = Disk("/dev/sdb");
        var refused = new (BlockDevice Device, string Reason)[]
        {
            (disk with { ReadOnly = true }, "read-only"),
            (disk with { Signature = "ext4" }, "ext4"),
            (disk with { PartitionTable = "gpt" }, "gpt"),
            (disk with { MountPoints = ["/data"] }, "/data"),
            (disk with { MountPoints = ["[SWAP]"] }, "[SWAP]"),
            (disk with { Children = ["/dev/sdb1"] }, "/dev/sdb1"),
            (disk with { State = "offline" }, "offline"),
            (disk with { Bytes = (10L << 30) - 1 }, "less than"),
            (disk with { Path = "/dev/carina-sdb" }, "carina-"),
            (disk with { Path = "/dev/bcache-sdb" }, "cache"),
            (disk with { Type = "part", PartitionName = "carina.io/2ed07d9e1f3a" }, "Carina volume"),
            (disk with { Type = "loop", BackingFile = "/var/lib/carina/volume-pvc-1.img" }, "Carina volume"),
        };
        foreach (var (device, reason) in refused)
        {
            var result = One(device, Group("g", "sdb"));
            Assert.False(result.IsTaken, reason);
            Assert.Contains(reason, result.Refusal, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_first_group_in_the_file_wins_even_when_it_then_refuses()
    {
        var groups = new[] { Group("big", "sd") with { MinDiskBytes = 1L << 40 }, Group("small", "sdb") };
        var result = One(Disk("/dev/sdb"), groups);
        Assert.Equal("big", result.Group?.Name);
        Assert.False(result.IsTaken);
    }

    [Fact]
    public void A_group_applies_where_its_label_key_is_present_whatever_its_value()
    {
        Assert.True(One(Disk("/dev/sdb"), Group("g", "sdb") with { NodeLabel = "kubernetes.io/hostname" }).IsTaken);
        Assert.Null(One(Disk("/dev/sdb"), Group("g", "sdb") with { NodeLabel = "storage" }).Group);
    }

    [Fact]
    public void Groups_by_type_of_disk_take_only_that_type()
    {
        var groups = new[] { Group("ssd", "sd") with { Rotational = false }, Group("hdd", "sd") with { Rotational = true } };
        Assert.Equal("hdd", One(Disk("/dev/sdb") with { Rotational = true }, groups).Group?.Name);
        Assert.Equal("ssd", One(Disk("/dev/sdc"), groups).Group?.Name);
    }

    [Fact]
    public void Neither_a_group_without_patterns_nor_a_directory_group_takes_disks()
    {
        Assert.Null(One(Disk("/dev/sdb"), Group("empty")).Group);
        Assert.Null(One(Disk("/dev/sdb"), Group("host", ".*") with { Policy = PoolPolicy.Host }).Group);
        Assert.Null(One(Disk("/dev/sdb"), Group("file", ".*") with { Policy = PoolPolicy.File }).Group);
    }

    [Fact]
    public void Raw_groups_take_whole_disks_only()
    {
        var raw = Group("raw", "sdb") with { Policy = PoolPolicy.Raw };
        Assert.True(One(Disk("/dev/sdb"), raw).IsTaken);
        Assert.False(One(Disk("/dev/sdb1", "part"), raw).IsTaken);
    }
}
