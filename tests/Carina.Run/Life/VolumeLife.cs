using Carina.Harness;
using Carina.Harness.Cluster;
using Carina.Harness.Data;
using Carina.Harness.Kubelet;
using Carina.Harness.Sidecars;
using Carina.Run.Screen;

namespace Carina.Run.Life;

/// <summary>One volume from its creation to its deletion, driven as kubelet and the sidecars would.</summary>
internal sealed class VolumeLife(EmbeddedCluster cluster, string node, VolumeRequest request, StepLog log)
{
    private const long DataBytes = 24 << 20;
    private const long WriterBytes = 8 << 20;
    private const long GrowBytes = 128 << 20;
    private const int Seed = 7;
    private readonly string _pod = Guid.NewGuid().ToString();
    private PersistentVolume? _volume;
    private string _path = "";
    private string _hash = "";

    /// <summary>Name for people; also the column of the summary.</summary>
    public string Kind => request.Kind;

    public PersistentVolume Volume => _volume ?? throw new InvalidOperationException("The volume is not made yet.");

    private KubeletSim Kubelet => cluster.Node(node).Kubelet;

    // On a block device data and writer share the device; in a file system each has its file.
    private string DataPath => request.Block ? _path : Path.Combine(_path, "data");

    private string WriterPath => request.Block ? _path : Path.Combine(_path, "journal");

    public async Task BeginAsync(CancellationToken cancellationToken)
    {
        await log.RunAsync("create", Kind, async () =>
        {
            _volume = await cluster.Provisioner.ProvisionAsync(request, node, cancellationToken);
            return $"{Volume.Handle[..16]}… {Texts.Bytes(Volume.Bytes)} on {Volume.Node}";
        });
        await log.RunAsync("stage", Kind, async () =>
        {
            await Kubelet.StageAsync(Volume, cancellationToken);
            return "";
        });
        await log.RunAsync("publish", Kind, () => PublishAsync(cancellationToken));
        await log.RunAsync("write and checksum", Kind, async () =>
        {
            _hash = await VolumeData.WriteAsync(DataPath, DataBytes, Seed, cancellationToken);
            return $"{Texts.Bytes(DataBytes)}, sha256 {_hash[..12]}…";
        });
    }

    /// <summary>Grows the volume while a pod writes to it.</summary>
    public Task ExpandAsync(CancellationToken cancellationToken) => log.RunAsync("expand while written to", Kind, async () =>
    {
        if (Kind == "ext4" && !Machine.MayGrowMountedExt4)
        {
            return "LEFT OUT: this machine does not let root grow a mounted ext4 (CAP_SYS_RESOURCE); ./run --uml shows it";
        }

        var before = await GetTotalBytesAsync(cancellationToken);
        await using var writer = SteadyWriter.Start(WriterPath, request.Block ? DataBytes : 0, WriterBytes, Seed);
        await writer.WaitForAsync(1 << 20, cancellationToken);
        (_volume, var nodeToo) = await cluster.Resizer.ExpandAsync(Volume, Volume.Bytes + GrowBytes, cancellationToken);
        if (nodeToo)
        {
            await Kubelet.ExpandAsync(Volume, _pod, cancellationToken);
        }

        await writer.WaitForAsync(1 << 20, cancellationToken);
        await writer.StopAndVerifyAsync(cancellationToken);
        var after = await GetTotalBytesAsync(cancellationToken);
        return after > before
            ? $"{Texts.Bytes(before)} to {Texts.Bytes(after)}; {Texts.Bytes(writer.Bytes)} written meanwhile, "
                + $"slowest write {Texts.Duration(writer.LongestWrite)}"
            : throw new HarnessException($"The pod still sees {before} bytes.");
    });

    public Task ShowStatsAsync(CancellationToken cancellationToken) => log.RunAsync("stats", Kind, async () =>
    {
        var stats = await Kubelet.GetStatsAsync(Volume, _pod, cancellationToken);
        var bytes = stats.Usage[0];
        return stats.VolumeCondition is { Abnormal: true } condition
            ? throw new HarnessException($"The volume is abnormal: {condition.Message}")
            : request.Block
                ? Texts.Bytes(bytes.Total)
                : $"{Texts.Bytes(bytes.Used)} of {Texts.Bytes(bytes.Total)} used";
    });

    /// <summary>The pod goes and comes back.</summary>
    public async Task ComeBackAsync(CancellationToken cancellationToken)
    {
        await log.RunAsync("unpublish, unstage", Kind, () => TakeAwayAsync(cancellationToken));
        await log.RunAsync("stage, publish again", Kind, async () =>
        {
            await Kubelet.StageAsync(Volume, cancellationToken);
            return await PublishAsync(cancellationToken);
        });
        await log.RunAsync("verify checksum", Kind, () => VerifyAsync(cancellationToken));
    }

    /// <summary>Compares the data with its checksum.</summary>
    public async Task<string> VerifyAsync(CancellationToken cancellationToken)
    {
        var found = await VolumeData.HashAsync(DataPath, DataBytes, cancellationToken);
        return found == _hash
            ? $"sha256 {found[..12]}… as written"
            : throw new HarnessException($"The data's checksum is {found}, not {_hash}.");
    }

    /// <summary>Starts a pod's writer that runs until it is stopped.</summary>
    public SteadyWriter StartWriter() =>
        SteadyWriter.Start(WriterPath, request.Block ? DataBytes : 0, WriterBytes, Seed + 1);

    public async Task EndAsync(CancellationToken cancellationToken)
    {
        await log.RunAsync("unpublish, unstage", Kind, () => TakeAwayAsync(cancellationToken));
        await log.RunAsync("delete", Kind, async () =>
        {
            await cluster.Provisioner.DeleteAsync(Volume, cancellationToken);
            return "";
        });
    }

    private async Task<string> PublishAsync(CancellationToken cancellationToken)
    {
        _path = await Kubelet.PublishAsync(Volume, _pod, cancellationToken);
        return "";
    }

    private async Task<string> TakeAwayAsync(CancellationToken cancellationToken)
    {
        await Kubelet.UnpublishAsync(Volume, _pod, cancellationToken);
        await Kubelet.UnstageAsync(Volume, cancellationToken);
        return "";
    }

    private async Task<long> GetTotalBytesAsync(CancellationToken cancellationToken) =>
        (await Kubelet.GetStatsAsync(Volume, _pod, cancellationToken)).Usage[0].Total;
}
