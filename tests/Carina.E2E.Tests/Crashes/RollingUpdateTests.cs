using Carina.E2E.Tests.Clusters;
using Carina.Harness.Data;
using Carina.Harness.Sidecars;
using ClusterMember = Carina.Harness.Cluster.ClusterMember;

namespace Carina.E2E.Tests.Crashes;

/// <summary>
/// Every process is replaced, one after another, as a DaemonSet and a Deployment do it. What two versions say to each
/// other is the subject of <c>OrleansContracts.txt</c> and of the message schema; here it is one version.
/// </summary>
public abstract class RollingUpdateTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    private const long Size = 32 * MiB;

    [Fact]
    public async Task Claims_are_served_and_pods_write_while_everything_is_replaced()
    {
        var kept = await ProvisionAsync(new() { Bytes = Size, FileSystem = "ext4" }, "node-1");
        await using var pod = await RunPodAsync(kept);
        await using var writer = SteadyWriter.Start(pod.File("journal"), 0, 4 * MiB, 1);
        var ledger = await GetCapacitiesAsync();
        foreach (var node in Cluster.Nodes)
        {
            await ReplaceAsync(node);
            await writer.WaitForAsync(MiB, Stop);
        }

        await ReplaceAsync(Cluster.Controller);
        await writer.StopAndVerifyAsync(Stop);
        Assert.Equal(ledger, await GetCapacitiesAsync());
        var (grown, _) = await Cluster.Resizer.ExpandAsync(kept, 2 * Size, Stop);
        Assert.Equal([grown.Bytes], await FindOnDisksAsync(kept.Handle));
    }

    /// <summary>Stops a process, has claims served as soon as anybody can, and starts its successor.</summary>
    private async Task ReplaceAsync(ClusterMember member)
    {
        var claims = new List<Task<PersistentVolume>>();
        try
        {
            Assert.True(await member.StopAsync(Stop), $"{member.Name} had to be killed.");
            claims.AddRange(Enumerable.Range(0, 4).Select(_ => ClaimAsync()));
            if (member != Cluster.Controller)
            {
                // The others can, without it.
                await Task.WhenAll(claims);
                Assert.DoesNotContain(claims, c => c.Result.Node == member.Name);
            }
        }
        finally
        {
            await Cluster.RestartAsync(member, Stop);
        }

        foreach (var claim in claims)
        {
            await Retry.CallAsync(async () => await Cluster.Provisioner.DeleteAsync(await claim, Stop), Stop);
        }
    }

    private Task<PersistentVolume> ClaimAsync()
    {
        // The same name each time: a repetition is not another claim.
        var request = new VolumeRequest { Bytes = Size };
        return Retry.CallAsync(() => ProvisionAsync(request), Stop);
    }
}

[Collection(FileCollection.Name)]
public sealed class FileRollingUpdateTests(ThreeFileNodes fixture) : RollingUpdateTests(fixture);

[Collection(KubernetesCollection.Name)]
public sealed class KubernetesRollingUpdateTests(ThreeKubernetesNodes fixture) : RollingUpdateTests(fixture);
