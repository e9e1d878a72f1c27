using Carina.Grains.Errors;
using Carina.Silo.Disks;
using Carina.Silo.Linux;
using Carina.Silo.Tests.Linux;

namespace Carina.Silo.Tests.Disks;

public sealed class BlockDeviceScannerTests
{
    [Fact]
    public async Task Real_devices_are_listed_with_what_the_kernel_knows()
    {
        using var host = new TestHost();
        var path = host.MakeDisk("a disk.img", 64 << 20, "--read-only");
        var devices = await new BlockDeviceScanner(TestHost.Runner).ScanAsync(default);

        var disk = Assert.Single(devices, device => device.Path == path);
        Assert.Equal(64 << 20, disk.Bytes);
        Assert.Equal("loop", disk.Type);
        Assert.True(disk.ReadOnly);
        Assert.Equal(host.Combine("a disk.img"), disk.BackingFile);
        Assert.Equal(BlockDeviceNode.NumberOf(path), disk.Number);
        Assert.Contains(devices, device => device.MountPoints.Contains("/"));
    }

    [Fact]
    public void Partitions_holders_and_mount_points_with_spaces_are_understood()
    {
        // As lsblk 2.38 prints a disk with a RAID of two partitions; 2.33 quotes numbers and flags.
        var devices = BlockDeviceScanner.Parse(
            """
            {"blockdevices": [
              {"name":"/dev/sda","kname":"/dev/sda","fstype":null,"pttype":"gpt","mountpoints":[null],"size":"1000","state":"running",
               "type":"disk","rota":"1","ro":"0","pkname":null,"maj:min":"8:0","children":[
                {"name":"/dev/sda1","kname":"/dev/sda1","fstype":"linux_raid_member","pttype":"gpt","partlabel":"carina.io/x","mountpoints":[null],
                 "size":400,"type":"part","rota":true,"ro":false,"pkname":"/dev/sda","maj:min":"8:1","children":[
                   {"name":"/dev/md0","kname":"/dev/md0","fstype":"xfs","mountpoints":["/mnt/a b","/x"],"size":400,"type":"raid1","rota":true,"ro":false,"maj:min":"9:0"}]},
                {"name":"/dev/sda2","kname":"/dev/sda2","mountpoints":[null],"size":400,"type":"part","rota":true,"ro":false,"maj:min":"8:2","children":[
                   {"name":"/dev/md0","kname":"/dev/md0","fstype":"xfs","mountpoints":["/mnt/a b","/x"],"size":400,"type":"raid1","rota":true,"ro":false,"maj:min":"9:0"}]}
              ]}]}
            """);
        Assert.Equal(["/dev/sda", "/dev/sda1", "/dev/md0", "/dev/sda2"], devices.Select(d => d.Path));
        Assert.Equal(["/dev/sda1", "/dev/sda2"], devices[0].Children);
        Assert.True(devices[0].Rotational);
        Assert.False(devices[0].ReadOnly);
        Assert.Equal("carina.io/x", devices[1].PartitionName);
        Assert.Equal(["/mnt/a b", "/x"], devices[2].MountPoints);
        Assert.Equal("/dev/sda", devices[3].Parent);
    }

    [Theory]
    [InlineData("")]
    [InlineData("not json")]
    [InlineData("""{"blockdevices":[{"name":"/dev/sda","size":"big","maj:min":"8:0"}]}""")]
    [InlineData("""{"blockdevices":[{"size":1}]}""")]
    public void Output_that_is_not_understood_is_an_error_and_not_an_empty_node(string output) =>
        Assert.Equal(
            StorageErrorCode.Internal,
            Assert.Throws<StorageException>(() => BlockDeviceScanner.Parse(output)).Code);
}
