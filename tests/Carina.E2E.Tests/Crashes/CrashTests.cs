using Carina.E2E.Tests.Clusters;
using Carina.Harness;
using Carina.Harness.Cluster;
using Carina.Harness.Kubernetes;
using Carina.Harness.Policies;
using Carina.Harness.Sidecars;

namespace Carina.E2E.Tests.Crashes;

/// <summary>
/// The process that reaches a step is killed there, for real. It is started again, the call is repeated as its caller
/// would, and then there is one volume of the right size, the ledger agrees with the disk, and nothing is leaked.
/// </summary>
public abstract class CrashTests(CrashCluster fixture) : ClusterTest(fixture)
{
    private const long Size = 64 * MiB;
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(2);

    protected async Task CreateAsync(string point)
    {
        var request = new VolumeRequest { Bytes = Size, Block = true };
        PersistentVolume? volume = null;
        await CrashAsync(point, async token =>
        {
            volume = await Cluster.Provisioner.ProvisionAsync(request, null, token);
        });
        await RequireOneAsync(volume!, Size);
        await EndAsync(volume!);
    }

    protected async Task ExpandAsync(string point)
    {
        var volume = await ProvisionAsync(new() { Bytes = Size, Block = true });
        await CrashAsync(point, async token =>
        {
            (volume, _) = await Cluster.Resizer.ExpandAsync(volume, 2 * Size, token);
        });
        await RequireOneAsync(volume, 2 * Size);
        await EndAsync(volume);
    }

    protected async Task DeleteAsync(string point)
    {
        var volume = await ProvisionAsync(new() { Bytes = Size, Block = true });
        await CrashAsync(point, token => Cluster.Provisioner.DeleteAsync(volume, token));
        await RequireNoneAsync();
    }

    /// <summary>Kills at the step, starts again and repeats the call until it succeeds.</summary>
    private async Task CrashAsync(string point, Func<CancellationToken, Task> call)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        patience.CancelAfter(_patience);
        await using var order = await fixture.OrderAsync(point, patience.Token);
        using (var caller = CancellationTokenSource.CreateLinkedTokenSource(patience.Token))
        {
            var first = call(caller.Token);
            await order.WaitForDeathAsync(first, patience.Token);

            // The caller's own deadline passes, at the latest; it does not matter what it has heard.
            await caller.CancelAsync();
            await first.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await Cluster.RestartAsync(Cluster.Members.Single(m => !m.IsRunning), patience.Token);
        await Retry.CallAsync(() => call(patience.Token), patience.Token);
    }

    private async Task EndAsync(PersistentVolume volume)
    {
        await Cluster.Provisioner.DeleteAsync(volume, Stop);
        await RequireNoneAsync();
    }

    private async Task RequireOneAsync(PersistentVolume volume, long bytes)
    {
        Assert.Equal(bytes, volume.Bytes);
        var listed = await Controller.ListVolumesAsync(new(), cancellationToken: Stop);
        var entry = Assert.Single(listed.Entries);
        Assert.Equal((volume.Handle, bytes), (entry.Volume.VolumeId, entry.Volume.CapacityBytes));
        Assert.Equal([bytes], await FindOnDisksAsync(volume.Handle));
        Assert.Equal(
            EmptyCapacities[volume.Node] - bytes, (await GetCapacitiesAsync())[volume.Node]);
    }

    private async Task RequireNoneAsync()
    {
        Assert.Empty((await Controller.ListVolumesAsync(new(), cancellationToken: Stop)).Entries);
        Assert.Empty(await Cluster.FindDriverLeftoversAsync(Stop));
        Assert.Equal(EmptyCapacities, await GetCapacitiesAsync());
    }
}

/// <summary>One node and a controller of the driver that dies where it is told to.</summary>
public abstract class CrashCluster : ClusterFixture
{
    private readonly string _order;

    protected CrashCluster(StoragePolicy policy)
        : base(policy)
    {
        _order = Path.Combine(Path.GetTempPath(), $"carina-crash-{Path.GetRandomFileName()}");
    }

    /// <summary>Tells the processes where to die.</summary>
    public async Task<CrashOrder> OrderAsync(string point, CancellationToken cancellationToken)
    {
        await File.WriteAllTextAsync(_order, point, cancellationToken);
        return new(_order, point, Cluster);
    }

    protected override ClusterOptions Describe(StoragePolicy policy) => new()
    {
        Policy = policy,
        Nodes = NodeSpec.Many(1, 1L << 30),
        SiloAssembly = BuiltAssemblies.TestSilo,
        Environment = new Dictionary<string, string> { ["CARINA_CRASH_FILE"] = _order },
    };
}

/// <summary>An order to die, until it is obeyed or withdrawn.</summary>
public sealed class CrashOrder(string file, string point, EmbeddedCluster cluster) : IAsyncDisposable
{
    /// <summary>Waits until a process has died of the order.</summary>
    /// <exception cref="HarnessException">The call ended, and nobody had come by that step.</exception>
    public async Task WaitForDeathAsync(Task call, CancellationToken cancellationToken)
    {
        while (cluster.Members.All(m => m.IsRunning))
        {
            if (call.IsCompleted && File.Exists(file))
            {
                throw new HarnessException($"The call ended ({call.Status}) without a process at step '{point}': {call.Exception?.Message}");
            }

            await Task.Delay(10, cancellationToken);
        }

        var dead = cluster.Members.Single(m => !m.IsRunning);
        var id = dead.Process!.Id;
        await dead.KillAsync(cancellationToken);
        if (!File.Exists($"{file}.{id}"))
        {
            throw new HarnessException($"{dead.Name} died without having been told to:\n{cluster.Tails(40)}");
        }
    }

    public ValueTask DisposeAsync()
    {
        foreach (var left in Directory.EnumerateFiles(Path.GetDirectoryName(file)!, Path.GetFileName(file) + "*"))
        {
            File.Delete(left);
        }

        return ValueTask.CompletedTask;
    }
}

public sealed class FileCrashCluster() : CrashCluster(StoragePolicy.File);

public sealed class LvmCrashCluster() : CrashCluster(StoragePolicy.Lvm);

/// <summary>Every step of policy FILE.</summary>
public abstract class FilePolicyCrashTests(CrashCluster fixture) : CrashTests(fixture)
{
    public static TheoryData<string> CreatePoints => [.. CrashPointCatalog.Find("create", StoragePolicy.File)];

    public static TheoryData<string> ExpandPoints => [.. CrashPointCatalog.Find("expand", StoragePolicy.File)];

    public static TheoryData<string> DeletePoints => [.. CrashPointCatalog.Find("delete", StoragePolicy.File)];

    [Theory]
    [MemberData(nameof(CreatePoints))]
    public Task Creation_survives_a_crash_at(string point) => CreateAsync(point);

    [Theory]
    [MemberData(nameof(ExpandPoints))]
    public Task Expansion_survives_a_crash_at(string point) => ExpandAsync(point);

    [Theory]
    [MemberData(nameof(DeletePoints))]
    public Task Deletion_survives_a_crash_at(string point) => DeleteAsync(point);
}

public sealed class FileCrashTests(FileCrashCluster fixture) : FilePolicyCrashTests(fixture), IClassFixture<FileCrashCluster>
{
    [Fact]
    public void Every_step_belongs_to_an_operation()
    {
        var all = CrashPointCatalog.All();
        Assert.NotEmpty(all);
        Assert.DoesNotContain(all, point => CrashPointCatalog.OperationOf(point).Length == 0);
    }
}

[Trait(Kernel.Trait, Kernel.DeviceMapper)]
public sealed class LvmCrashTests(LvmCrashCluster fixture) : CrashTests(fixture), IClassFixture<LvmCrashCluster>
{
    public static TheoryData<string> CreatePoints => [.. CrashPointCatalog.Find("create", StoragePolicy.Lvm)];

    public static TheoryData<string> ExpandPoints => [.. CrashPointCatalog.Find("expand", StoragePolicy.Lvm)];

    public static TheoryData<string> DeletePoints => [.. CrashPointCatalog.Find("delete", StoragePolicy.Lvm)];

    [Theory]
    [MemberData(nameof(CreatePoints))]
    public Task Creation_survives_a_crash_at(string point) => CreateAsync(point);

    [Theory]
    [MemberData(nameof(ExpandPoints))]
    public Task Expansion_survives_a_crash_at(string point) => ExpandAsync(point);

    [Theory]
    [MemberData(nameof(DeletePoints))]
    public Task Deletion_survives_a_crash_at(string point) => DeleteAsync(point);
}

/// <summary>As with files, with the truth in custom resources of a real API server.</summary>
public sealed class KubernetesCrashCluster() : CrashCluster(StoragePolicy.File)
{
    private KubernetesTruth? _truth;

    public override async ValueTask InitializeAsync()
    {
        _truth = await KubernetesTruth.StartAsync(NodeSpec.Many(1, 1L << 30), alive: false, TestContext.Current.CancellationToken);
        await base.InitializeAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (_truth is not null)
        {
            await _truth.DisposeAsync();
        }
    }

    protected override ClusterOptions Describe(StoragePolicy policy) =>
        base.Describe(policy) with { Kubernetes = _truth!.Store };
}

public sealed class KubernetesCrashTests(KubernetesCrashCluster fixture)
    : FilePolicyCrashTests(fixture), IClassFixture<KubernetesCrashCluster>;
