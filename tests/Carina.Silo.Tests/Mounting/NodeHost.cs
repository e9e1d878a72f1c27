using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Silo.Backends;
using Carina.Silo.Backends.Files;
using Carina.Silo.Disks;
using Carina.Silo.Fencing;
using Carina.Silo.Mounting;
using Carina.Silo.Tests.Linux;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carina.Silo.Tests.Mounting;

/// <summary>
/// A node with one FILE pool and a directory like kubelet's. <see cref="Restart"/> stands for kill -9: all objects are
/// new, only the kernel and the disk remember.
/// </summary>
public sealed class NodeHost : IDisposable
{
    public const long Size = 320L << 20;
    public const string Pool = "carina-file";
    private readonly TestHost _host = new();
    private readonly string _disk;

    public NodeHost()
    {
        // A disk of its own: a pool needs extended attributes, which not every machine's /var/tmp has (an overlay over
        // tmpfs, as under ./test's own kernel, has none).
        _disk = _host.MakeMountedDisk("disk", 40 * Size);
        Kubelet = _host.MakeDirectory("kubelet dir");
        Restart();
    }

    internal FileBackend Backend { get; private set; } = null!;

    internal INodeVolumes Volumes { get; private set; } = null!;

    public TestHost Host => _host;

    public string Kubelet { get; }

    public string Scratch => _host.Combine("scratch");

    public string Staging(string volumeId = "volume-a") => Directory.CreateDirectory(Kubelet + "/staging/" + volumeId).FullName;

    /// <summary>A target path whose parent exists, like kubelet's.</summary>
    public string Target(string pod = "pod1")
    {
        var parent = Directory.CreateDirectory(Kubelet + "/pods/" + pod).FullName;
        return parent + "/mount";
    }

    /// <summary>What the code under test has mounted.</summary>
    public IReadOnlyList<string> Mounted => [.. _host.Mounts.Paths.Where(path => path != _disk)];

    /// <summary>The file behind a volume.</summary>
    public string ImageOf(string id = "volume-a") => $"{_disk}/pool/{id}.img";

    public void Restart()
    {
        Backend = new FileBackend(TestHost.Runner, TimeProvider.System, new Carina.Grains.Volumes.NoCrashPoints(), NullLogger<FileBackend>.Instance);
        var group = new DiskGroup
        {
            Name = Pool,
            Policy = PoolPolicy.File,
            Directory = _disk + "/pool",
            CapacityBytes = 100 * Size,
            ReserveBytes = 0,
        };
        Assert.Equal("", Backend.ScanAsync([group], default).GetAwaiter().GetResult()[0].Problem);
        var calls = new MountCalls(TimeProvider.System);
        var probe = new BlankProbe(TestHost.Runner);
        Volumes = new NodeVolumes(
            [Backend],
            new Policies(),
            new FileSystems(TestHost.Runner, probe, calls, TimeProvider.System, NullLogger<FileSystems>.Instance),
            calls,
            new NodeVolumesOptions { AllowedRoots = [Kubelet], ScratchDirectory = Scratch },
            new FencedVolumes(_host.Combine("fenced.json"), TimeProvider.System),
            NullLogger<NodeVolumes>.Instance);
    }

    public static DiskVolumeKey Key(string id = "volume-a") => new(id, Pool, 1);

    public async Task<string> CreateAsync(string id = "volume-a", long bytes = Size)
    {
        var outcome = await Backend.ExecuteAsync(Pool, [new PoolCommand(PoolCommandKind.Create, Key(id), bytes)], default);
        Assert.Null(outcome[0].Error);
        return ImageOf(id);
    }

    public async Task GrowAsync(long bytes, string id = "volume-a")
    {
        var outcome = await Backend.ExecuteAsync(Pool, [new PoolCommand(PoolCommandKind.Expand, Key(id), bytes)], default);
        Assert.Null(outcome[0].Error);
    }

    public async Task<StorageErrorCode?> DeleteAsync(string id = "volume-a") =>
        (await Backend.ExecuteAsync(Pool, [new PoolCommand(PoolCommandKind.Delete, Key(id), 0)], default))[0].Error?.Code;

    public StageRequest StageRequest(string fileSystem = "ext4", string id = "volume-a") => new()
    {
        Key = Key(id),
        Access = fileSystem == "block" ? VolumeAccess.Block : VolumeAccess.FileSystem,
        FileSystem = fileSystem == "block" ? "" : fileSystem,
        MountFlags = [],
        StagingPath = Staging(id),
        MutableParameters = new Dictionary<string, string>(),
    };

    public PublishRequest PublishRequest(string target, string fileSystem = "ext4", string id = "volume-a") => new()
    {
        Key = Key(id),
        Access = fileSystem == "block" ? VolumeAccess.Block : VolumeAccess.FileSystem,
        FileSystem = fileSystem == "block" ? "" : fileSystem,
        MountFlags = [],
        StagingPath = Staging(id),
        TargetPath = target,
        ReadOnly = false,
        Exclusive = false,
    };

    public Task StageAsync(string fileSystem = "ext4", string id = "volume-a") =>
        Volumes.StageAsync(StageRequest(fileSystem, id), default);

    public Task PublishAsync(string target, string fileSystem = "ext4", bool readOnly = false) =>
        Volumes.PublishAsync(PublishRequest(target, fileSystem) with { ReadOnly = readOnly }, default);

    public Task UnpublishAsync(string target, string id = "volume-a") => Volumes.UnpublishAsync(id, target, default);

    public Task UnstageAsync(string id = "volume-a") => Volumes.UnstageAsync(id, Staging(id), default);

    public static async Task<StorageException> AssertFailsAsync(StorageErrorCode code, Func<Task> action)
    {
        var failure = await Assert.ThrowsAsync<StorageException>(action);
        Assert.True(code == failure.Code, $"{failure.Code}: {failure.Message}");
        return failure;
    }

    public void Dispose() => _host.Dispose();

    private sealed class Policies : IPoolPolicies
    {
        public PoolPolicy? Find(string pool) => pool == Pool ? PoolPolicy.File : null;
    }
}
