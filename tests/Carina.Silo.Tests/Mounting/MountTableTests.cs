using Carina.Silo.Linux;
using Carina.Silo.Mounting;
using Carina.Silo.Tests.Linux;
using CsCheck;

namespace Carina.Silo.Tests.Mounting;

public sealed class MountTableTests
{
    [Fact]
    public void Fields_escapes_and_optional_fields_are_understood()
    {
        var table = MountTable.Parse(
        [
            @"36 35 98:0 /mnt1/a\040b /mnt/with\040space\011tab\134slash\043 rw,noatime master:1 shared:2 - ext4 /dev/root\040x rw,errors=continue",
            "37 36 0:5 /loop7 /target ro - devtmpfs devtmpfs rw,size=4096k",
            "too short",
            "x 35 98:0 / /mnt rw - ext4 /dev/root rw",
            "38 35 98:0 / /mnt rw shared:1",
        ]);
        Assert.Equal(2, table.Entries.Count);
        var entry = table.Entries[0];
        Assert.Equal((36, 35, new DeviceNumber(98, 0)), (entry.Id, entry.ParentId, entry.Device));
        Assert.Equal("/mnt1/a b", entry.Root);
        Assert.Equal("/mnt/with space\ttab\\slash#", entry.MountPoint);
        Assert.Equal(["rw", "noatime"], entry.Options);
        Assert.Equal(("ext4", "/dev/root x"), (entry.FileSystem, entry.Source));
        Assert.Equal(["rw", "errors=continue"], entry.SuperOptions);
        Assert.True(table.Find(37)!.IsReadOnly);
    }

    [Fact]
    public void Every_path_survives_the_kernels_escaping() =>
        Gen.String[Gen.Char[" \t\n\\#ab/é"], 0, 20].Sample(path =>
        {
            var escaped = path.Replace("\\", "\\134", StringComparison.Ordinal).Replace(" ", "\\040", StringComparison.Ordinal)
                .Replace("\t", "\\011", StringComparison.Ordinal).Replace("\n", "\\012", StringComparison.Ordinal)
                .Replace("#", "\\043", StringComparison.Ordinal);
            return MountTable.Unescape(escaped) == path;
        });

    [Fact]
    public void The_kernels_own_table_is_read_whole()
    {
        var lines = File.ReadAllLines("/proc/self/mountinfo");
        Assert.InRange(MountTable.Read().Entries.Count, lines.Length - 8, lines.Length + 8);
        Assert.Contains(MountTable.Read().Entries, entry => entry.MountPoint == "/proc" && entry.FileSystem == "proc");
    }

    [Theory]
    [InlineData("ext4")]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public void Mounts_binds_and_device_nodes_are_found_by_device(string fileSystem)
    {
        using var host = new TestHost();
        var directory = host.MakeMountedDisk("a disk", 320 << 20, fileSystem);
        var device = BlockDeviceNode.NumberOf(TestHost.Run("findmnt", "-no", "SOURCE", directory))!.Value;
        var bound = host.MakeDirectory("bound");
        Directory.CreateDirectory(directory + "/sub dir");
        TestHost.Run("mount", "--bind", directory + "/sub dir", bound);
        var node = host.MakeFile("node", 0);
        TestHost.Run("mount", "--bind", TestHost.Run("findmnt", "-no", "SOURCE", directory), node);

        var table = MountTable.Read();
        Assert.Equal([directory, bound], table.OfFileSystemOn(device).Select(entry => entry.MountPoint));
        Assert.EndsWith("/sub dir", table.OfFileSystemOn(device).Last().Root, StringComparison.Ordinal);
        Assert.Equal([node], table.OfNode(device).Select(entry => entry.MountPoint));
    }
}
