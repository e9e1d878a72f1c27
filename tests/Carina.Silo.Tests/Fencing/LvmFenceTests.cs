using Carina.Silo.Fencing;
using Carina.Silo.Tests.Backends.Lvm;
using Carina.Silo.Tests.Linux;

namespace Carina.Silo.Tests.Fencing;

/// <summary>Logical volumes.</summary>
[Collection(LvmLabCollection.Name)]
[Trait("Kernel", "device-mapper")]
public sealed class LvmFenceTests() : FenceTests(LvmNode.MakeAsync)
{
    [Fact]
    public async Task What_is_not_ours_is_left_alone()
    {
        TestHost.Run("lvcreate", "--yes", "--name", "volume-b", "--size", "32m", Node.Pool);
        await FencedNode.AssertRefusedAsync(() => Node.FenceAsync(volume: "volume-b"));
        TestHost.Run("dd", "if=/dev/zero", $"of=/dev/{Node.Pool}/volume-b", "bs=4096", "count=1", "oflag=direct", "status=none");
        Assert.Empty(Node.Fenced.All);
    }

    [Fact]
    public async Task A_table_that_a_command_puts_back_is_replaced_again()
    {
        await Node.StageAsync("block");
        var device = Node.Backend.FindDevice(FencedNode.Volume)!;
        Node.Commands.Running = Task.Run(async () =>
        {
            while (!DeviceCut.IsCut(device))
                await Task.Delay(5);

            TestHost.Run("lvchange", "--refresh", $"{Node.Pool}/{FencedNode.Volume}");
            Assert.False(DeviceCut.IsCut(device));
        });
        await Node.FenceAsync();
        await Node.Commands.Running;
        Assert.True(DeviceCut.IsCut(device));
    }

    [Fact]
    public async Task Before_the_first_scan_the_disk_is_asked_whose_the_device_is()
    {
        await Node.StageAsync("block");
        var lab = new LvmLab();
        await using (lab)
        {
            var unscanned = lab.MakeBackend(lab.Group());
            Assert.Single(await ((IFenceableBackend)unscanned).IdentifyAsync(Node.Key, default));
            await FencedNode.AssertRefusedAsync(() => unscanned.IdentifyAsync(Node.Key with { Generation = 2 }, default));
            Assert.Empty(await unscanned.IdentifyAsync(Node.Key with { VolumeId = "volume-z" }, default));
        }
    }
}
