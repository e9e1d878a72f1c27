using System.Text.RegularExpressions;
using Carina.Grains.Configuration;
using Carina.Silo.Disks;
using Carina.Silo.Linux;
using Carina.Silo.Tests.Linux;

namespace Carina.Silo.Tests.Disks;

public sealed class DiskDiscoveryTests : IDisposable
{
    private const long Size = 320 << 20;
    private readonly TestHost _host = new();

    public void Dispose() => _host.Dispose();

    private static async Task<SelectedDisk> JudgeAsync(string device)
    {
        var group = new DiskGroup
        {
            Name = "carina-lvm",
            Policy = PoolPolicy.Lvm,
            Patterns = [new Regex($"^{device}(p[0-9]+)?$", RegexOptions.NonBacktracking)],
            MinDiskBytes = 1 << 20,
        };
        var discovery = new DiskDiscovery(new BlockDeviceScanner(TestHost.Runner), new BlankProbe(TestHost.Runner));
        var disks = await discovery.FindAsync([group], new Dictionary<string, string>(), default);
        return Assert.Single(disks, disk => disk.Device.Path == device);
    }

    private static async Task AssertRefusedAsync(string device, string reason)
    {
        var disk = await JudgeAsync(device);
        Assert.False(disk.IsTaken);
        Assert.Contains(reason, disk.Refusal, StringComparison.Ordinal);
    }

    private static void Write(string device, long offset, params byte[] bytes)
    {
        using var file = File.OpenHandle(device, FileMode.Open, FileAccess.Write);
        RandomAccess.Write(file, bytes, offset);
    }

    [Fact]
    public async Task A_blank_disk_is_taken()
    {
        var disk = await JudgeAsync(_host.MakeDisk("blank", Size));
        Assert.Equal("", disk.Refusal);
        Assert.True(disk.IsTaken);
    }

    [Theory]
    [InlineData("ext4", "ext4")]
    [InlineData("xfs", "xfs")]
    [InlineData("btrfs", "btrfs")]
    public async Task A_file_system_refuses(string fileSystem, string reason)
    {
        var device = _host.MakeDisk("disk", Size);
        TestHost.Run("mkfs." + fileSystem, "-q", device);
        await AssertRefusedAsync(device, reason);
    }

    [Fact]
    public async Task A_mounted_disk_refuses()
    {
        var directory = _host.MakeMountedDisk("mounted", Size);
        await AssertRefusedAsync(TestHost.Run("findmnt", "-no", "SOURCE", directory), directory);
    }

    [Fact]
    public async Task An_lvm_physical_volume_refuses()
    {
        var device = _host.MakeDisk("disk", Size);
        TestHost.Run("pvcreate", "--yes", device);
        await AssertRefusedAsync(device, "LVM2_member");
    }

    [Fact]
    public async Task A_partition_table_refuses_even_when_empty_and_unread_by_the_kernel()
    {
        var device = _host.MakeDisk("disk", Size);
        Pipe(device, "label: gpt\n");
        await AssertRefusedAsync(device, "gpt");
    }

    [Fact]
    public async Task Only_the_backup_of_a_partition_table_refuses()
    {
        var device = _host.MakeDisk("disk", Size);
        Pipe(device, "label: gpt\nsize=64MiB\n");
        Write(device, 0, new byte[1 << 20]);
        Assert.False((await JudgeAsync(device)).IsTaken);
    }

    [Fact]
    public async Task A_disk_with_partitions_refuses_and_its_blank_partition_is_taken()
    {
        var device = _host.MakeDisk("disk", Size, "--partscan");
        Pipe(device, "label: gpt\nsize=64MiB\n");
        TestHost.Run("partx", "--update", device);
        await AssertRefusedAsync(device, device + "p1");

        var group = new DiskGroup
        {
            Name = "g",
            Policy = PoolPolicy.Lvm,
            Patterns = [new Regex($"^{device}p1$", RegexOptions.NonBacktracking)],
            MinDiskBytes = 1 << 20,
        };
        var discovery = new DiskDiscovery(new BlockDeviceScanner(TestHost.Runner), new BlankProbe(TestHost.Runner));
        var disks = await discovery.FindAsync([group], new Dictionary<string, string>(), default);
        Assert.Equal("", Assert.Single(disks, d => d.Device.Path == device + "p1").Refusal);
    }

    [Fact]
    public async Task Active_swap_refuses_although_its_signature_is_gone()
    {
        var device = _host.MakeDisk("disk", Size);
        TestHost.Run("mkswap", device);
        TestHost.Run("swapon", device);
        try
        {
            Write(_host.Combine("disk"), 0, new byte[4096]);
            await AssertRefusedAsync(device, "[SWAP]");

            var found = await new BlankProbe(TestHost.Runner).FindContentAsync(device, 4096, 0, default);
            Assert.True(found?.IsHeld);
        }
        finally
        {
            TestHost.Run("swapoff", device);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1080)]
    [InlineData((1 << 20) - 1)]
    [InlineData(Size - (1 << 20))]
    [InlineData(Size - 1)]
    public async Task A_single_byte_where_signatures_live_refuses(long offset)
    {
        var device = _host.MakeDisk("disk", Size);
        Write(device, offset, 0x53);
        await AssertRefusedAsync(device, $"at byte {offset}");
    }

    [Fact]
    public async Task A_disk_that_somebody_holds_exclusively_refuses()
    {
        var device = _host.MakeDisk("disk", Size);
        using (BlockDeviceNode.TryHold(device))
        {
            await AssertRefusedAsync(device, "somebody else holds it");
        }

        Assert.True((await JudgeAsync(device)).IsTaken);
    }

    [Fact]
    public async Task Looking_changes_nothing()
    {
        var device = _host.MakeDisk("disk", Size);
        TestHost.Run("mkfs.ext4", "-q", device);
        var before = TestHost.Run("sha256sum", _host.Combine("disk"));
        await JudgeAsync(device);
        Assert.Equal(before, TestHost.Run("sha256sum", _host.Combine("disk")));
    }

    private void Pipe(string device, string script)
    {
        var file = _host.Combine("script");
        File.WriteAllText(file, script);
        TestHost.Run("sh", "-c", "sfdisk --quiet --no-reread --no-tell-kernel \"$1\" < \"$2\"", "sh", device, file);
    }
}
