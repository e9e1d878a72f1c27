using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Nodes;
using Carina.Silo.Copying;
using Carina.Silo.Fencing;
using Carina.Silo.Fencing.Leases;
using Carina.Silo.Mounting;
using Carina.Silo.Nodes;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Agents;

/// <summary>
/// The grain service in front of <see cref="DiskAgent"/>: takes the grains' commands and tells the node's ledger what
/// the disks hold. Silos that are no node's have one too, which holds nothing and says nothing.
/// </summary>
internal sealed partial class NodeAgent(
    GrainId id,
    global::Orleans.Runtime.Silo silo,
    ILoggerFactory loggers,
    DiskAgent agent,
    ICarinaConfigSource config,
    INodeLabels labels,
    IVolumeFence fence,
    VolumeCopier copier,
    CopyWriter writer,
    INodeLeases leases,
    ILocalSiloDetails details,
    IGrainFactory grains,
    IOptions<SiloOptions> options,
    TimeProvider time,
    ILogger<NodeAgent> logger) : GrainService(id, silo, loggers), INodeAgent
{
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _wake = new(0);
    private IDisposable? _configChanges;
    private IDisposable? _labelChanges;
    private Task _loop = Task.CompletedTask;

    public Task<DiskVolume> CreateAsync(DiskVolumeKey key, long bytes, CancellationToken cancellationToken) =>
        agent.CreateAsync(key, bytes, cancellationToken);

    public Task<DiskVolume> ExpandAsync(DiskVolumeKey key, long bytes, CancellationToken cancellationToken) =>
        agent.ExpandAsync(key, bytes, cancellationToken);

    public Task DeleteAsync(DiskVolumeKey key, CancellationToken cancellationToken) =>
        agent.DeleteAsync(key, cancellationToken);

    public Task<DiskVolume> AdoptAsync(DiskVolumeKey key, CancellationToken cancellationToken) =>
        agent.AdoptAsync(key, cancellationToken);

    public Task<DiskVolume> RenameAsync(DiskVolumeKey from, DiskVolumeKey to, CancellationToken cancellationToken) =>
        agent.RenameAsync(from, to, cancellationToken);

    public Task<CopyProgress> CopyAsync(CopyOrder order, CancellationToken cancellationToken) => copier.CopyAsync(order, cancellationToken);

    public Task<byte[]> HashBlocksAsync(DiskVolumeKey key, long offset, int bytes, CancellationToken cancellationToken) =>
        writer.HashAsync(key, offset, bytes, cancellationToken);

    public Task WriteBlocksAsync(DiskVolumeKey key, long offset, byte[] data, CancellationToken cancellationToken) =>
        writer.WriteAsync(key, offset, data, cancellationToken);

    public Task FinishCopyAsync(DiskVolumeKey key, bool hasFileSystem, CancellationToken cancellationToken) =>
        writer.FinishAsync(key, hasFileSystem, cancellationToken);

    public Task TuneAsync(
        DiskVolumeKey key, Dictionary<string, string> mutableParameters, CancellationToken cancellationToken)
    {
        // A device that is not open has nothing to tune; staging applies the parameters when it opens it.
        if (agent.BackendOf(key.Pool).FindDevice(key.VolumeId) is { } device)
        {
            DeviceTuning.Apply(device, mutableParameters);
        }

        return Task.CompletedTask;
    }

    public Task FenceAsync(DiskVolumeKey key, string reason, CancellationToken cancellationToken) =>
        fence.FenceAsync(key, reason, cancellationToken);

    public Task LiftFenceAsync(DiskVolumeKey key, CancellationToken cancellationToken) =>
        fence.LiftAsync(key, cancellationToken);

    public Task<LeaseRenewalOutcome> RenewLeaseAsync(NodeLeaseRenewal renewal, CancellationToken cancellationToken) =>
        leases.RenewForAsync(renewal, cancellationToken);

    public async Task<NodeReport> RescanAsync(CancellationToken cancellationToken)
    {
        await agent.ScanAsync(cancellationToken);
        var report = agent.ToReport(details.SiloAddress.Generation);
        await grains.GetGrain<INodeGrain>(options.Value.NodeName).ReportAsync(report, cancellationToken);
        return report;
    }

    protected override Task StartInBackground()
    {
        if (options.Value.Role == SiloRole.Node)
        {
            _configChanges = config.OnChange(_ => _wake.Release());
            _labelChanges = labels.OnChange(() => _wake.Release());
            _loop = LoopAsync(_stop.Token);
        }

        return Task.CompletedTask;
    }

    public override async Task Stop()
    {
        _configChanges?.Dispose();
        _labelChanges?.Dispose();
        await _stop.CancelAsync();
        await _loop;
        await base.Stop();
    }

    /// <summary>
    /// Scans at start, at changes of configuration or labels and at the configured interval; in between tells the ledger what is
    /// known, which costs no look at the disk and lets lapsed promises go.
    /// </summary>
    private async Task LoopAsync(CancellationToken stop)
    {
        var scanDue = true;
        var lastScan = time.GetTimestamp();
        while (!stop.IsCancellationRequested)
        {
            try
            {
                if (scanDue)
                {
                    lastScan = time.GetTimestamp();
                    await RescanAsync(stop);
                }
                else
                {
                    await grains.GetGrain<INodeGrain>(options.Value.NodeName)
                        .ReportAsync(agent.ToReport(details.SiloAddress.Generation), stop);
                }

                scanDue = await _wake.WaitAsync(options.Value.ReportInterval, stop);
                scanDue |= config.Current.ScanInterval is { } interval && time.GetElapsedTime(lastScan) >= interval;
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                LogReportFailed(options.Value.NodeName, exception);
                await Task.Delay(TimeSpan.FromSeconds(1), time, stop)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            }
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Node {Node} could not look at its disks or tell its ledger; tries again")]
    private partial void LogReportFailed(string node, Exception exception);
}
