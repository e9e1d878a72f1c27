using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Silo.Backends;
using Carina.Silo.Backends.Files;
using Carina.Silo.Disks;
using Carina.Silo.Fencing;
using Carina.Silo.Mounting;
using Carina.Silo.Tests.Backends.Lvm;
using Carina.Silo.Tests.Linux;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carina.Silo.Tests.Fencing;

/// <summary>A node with one pool that can fence. <see cref="RestartAsync"/> stands for kill -9 of its silo.</summary>
public abstract class FencedNode : IAsyncDisposable
{
    public const long Size = 320L << 20;
    public const string Volume = "volume-fence";

    public TestHost Host { get; } = new();

    internal INodeVolumes Volumes { get; private set; } = null!;

    internal IVolumeFence Fence { get; private set; } = null!;

    internal FencedVolumes Fenced { get; private set; } = null!;

    internal RunningCommands Commands { get; } = new();

    internal IPoolBackend Backend { get; private set; } = null!;

    /// <summary>Whether the driver says that it sees all processes; takes effect with the next restart.</summary>
    public bool SeesAllProcesses { get; set; } = true;

    public DiskVolumeKey Key => new(Volume, Pool, 1);

    public string Kubelet => Host.Combine("kubelet");

    public string Staging => Kubelet + "/staging/volume-a";

    public string MemoryFile => Host.Combine("state/fenced.json");

    public abstract string Pool { get; }

    protected abstract PoolPolicy Policy { get; }

    public string Target => Kubelet + "/pods/pod1/mount";

    public async Task RestartAsync()
    {
        Directory.CreateDirectory(Kubelet + "/staging");
        Directory.CreateDirectory(Kubelet + "/pods/pod1");
        Backend = await OpenBackendAsync();
        var calls = new MountCalls(TimeProvider.System);
        var options = new NodeVolumesOptions { AllowedRoots = [Kubelet], ScratchDirectory = Host.Combine("scratch") };
        Fenced = new FencedVolumes(MemoryFile, TimeProvider.System);
        Fence = new VolumeFence(
            [Backend],
            Fenced,
            new DeviceCut(new DeviceHolders(NullLogger<DeviceHolders>.Instance) { SeesAll = SeesAllProcesses }, TimeProvider.System),
            new FenceLift(calls, options, TimeProvider.System),
            Commands,
            TimeProvider.System,
            NullLogger<VolumeFence>.Instance);
        Volumes = new NodeVolumes(
            [Backend],
            new Policies(Pool, Policy),
            new FileSystems(
                TestHost.Runner, new BlankProbe(TestHost.Runner), calls, TimeProvider.System, NullLogger<FileSystems>.Instance),
            calls,
            options,
            Fenced,
            NullLogger<NodeVolumes>.Instance);
    }

    public async Task CreateAsync(string volume = Volume, long generation = 1)
    {
        var command = new PoolCommand(PoolCommandKind.Create, new DiskVolumeKey(volume, Pool, generation), Size);
        Assert.Null((await Backend.ExecuteAsync(Pool, [command], default))[0].Error);
    }

    public Task StageAsync(string fileSystem) => Volumes.StageAsync(
        new StageRequest
        {
            Key = Key,
            Access = fileSystem == "block" ? VolumeAccess.Block : VolumeAccess.FileSystem,
            FileSystem = fileSystem == "block" ? "" : fileSystem,
            MountFlags = [],
            StagingPath = Staging,
            MutableParameters = new Dictionary<string, string>(),
        },
        default);

    public Task PublishAsync(string fileSystem) => Volumes.PublishAsync(
        new PublishRequest
        {
            Key = Key,
            Access = fileSystem == "block" ? VolumeAccess.Block : VolumeAccess.FileSystem,
            FileSystem = fileSystem == "block" ? "" : fileSystem,
            MountFlags = [],
            StagingPath = Staging,
            TargetPath = Target,
            ReadOnly = false,
            Exclusive = false,
        },
        default);

    public async Task RemoveFromPodsAsync()
    {
        await Volumes.UnpublishAsync(Volume, Target, default);
        await Volumes.UnstageAsync(Volume, Staging, default);
    }

    public Task FenceAsync(long generation = 1, string volume = Volume) =>
        Fence.FenceAsync(new DiskVolumeKey(volume, Pool, generation), "the test says so", default);

    public Task LiftAsync() => Fence.LiftAsync(Key, default);

    public static async Task AssertRefusedAsync(Func<Task> action) =>
        Assert.Equal(StorageErrorCode.FailedPrecondition, (await Assert.ThrowsAsync<StorageException>(action)).Code);

    public virtual ValueTask DisposeAsync()
    {
        // Loop devices are of the whole machine; none is to keep what was done to it.
        foreach (var loop in LoopDevices.ListAttached().Where(loop => loop.BackingPath.StartsWith(Host.Root, StringComparison.Ordinal)))
            Silo.Linux.BlockDeviceNode.SetReadOnly(loop.Path, readOnly: false);

        Host.Dispose();
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    private protected abstract Task<IPoolBackend> OpenBackendAsync();

    private sealed class Policies(string name, PoolPolicy policy) : IPoolPolicies
    {
        public PoolPolicy? Find(string pool) => pool == name ? policy : null;
    }
}

/// <summary>Commands that the pool's queue has begun, as the test says.</summary>
internal sealed class RunningCommands : ICommandsUnderWay
{
    public Task Running { get; set; } = Task.CompletedTask;

    public Task WhenNoneRuns(string volumeId) => Running;
}

/// <summary>With volumes in files.</summary>
public sealed class FileNode : FencedNode
{
    private readonly string _disk;

    private FileNode() => _disk = Host.MakeMountedDisk("disk", 4 * Size);

    public override string Pool => "carina-file";

    protected override PoolPolicy Policy => PoolPolicy.File;

    public static async Task<FencedNode> MakeAsync()
    {
        var node = new FileNode();
        await node.RestartAsync();
        return node;
    }

    private protected override async Task<IPoolBackend> OpenBackendAsync()
    {
        var backend = new FileBackend(TestHost.Runner, TimeProvider.System, new NoCrashPoints(), NullLogger<FileBackend>.Instance);
        var group = new DiskGroup
        {
            Name = Pool,
            Policy = Policy,
            Directory = _disk + "/pool",
            CapacityBytes = 20 * Size,
            ReserveBytes = 0,
        };
        Assert.Equal("", (await backend.ScanAsync([group], default))[0].Problem);
        return backend;
    }
}

/// <summary>With logical volumes.</summary>
public sealed class LvmNode : FencedNode
{
    private readonly LvmLab _lab = new();
    private readonly DiskGroup _group;

    private LvmNode() => _group = _lab.Group(_lab.MakeDisk(800));

    public override string Pool => _lab.Pool;

    protected override PoolPolicy Policy => PoolPolicy.Lvm;

    public static async Task<FencedNode> MakeAsync()
    {
        var node = new LvmNode();
        await node.RestartAsync();
        return node;
    }

    public override async ValueTask DisposeAsync()
    {
        foreach (var path in Host.Mounts.Paths.Reverse())
            TestHost.TryRun("umount", "--lazy", path);

        await _lab.DisposeAsync();
        await base.DisposeAsync();
    }

    private protected override async Task<IPoolBackend> OpenBackendAsync()
    {
        var backend = _lab.MakeBackend(_group);
        Assert.Equal("", Assert.Single(await backend.ScanAsync([_group], default)).Problem);
        return backend;
    }
}
