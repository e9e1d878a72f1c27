using Carina.Harness;
using Carina.Harness.Cluster;
using Carina.Harness.Sidecars;
using Carina.Run.Screen;

namespace Carina.Run.Life;

/// <summary>A cluster from its start to its end, with a volume of each kind in between.</summary>
internal sealed class ClusterLife(RunOptions options, IScreen screen)
{
    // The smallest xfs has 300 MiB (mkfs.xfs since 6.0).
    private static readonly VolumeRequest[] _kinds =
    [
        new() { Bytes = 256 << 20, FileSystem = "ext4" },
        new() { Bytes = 320 << 20, FileSystem = "xfs" },
        new() { Bytes = 256 << 20, Block = true },
    ];

    private readonly StepLog _log = new(screen);
    private EmbeddedCluster? _cluster;

    private EmbeddedCluster Cluster => _cluster ?? throw new InvalidOperationException("The cluster is not started.");

    /// <summary>Runs everything; the clean-up too when something fails or the run is interrupted.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await StartAsync(cancellationToken);
            await LiveAsync(cancellationToken);
            if (options.Keep)
            {
                await KeepAsync(cancellationToken);
            }
        }
        catch (Exception exception) when (exception is not OperationCanceledException && _cluster is not null)
        {
            screen.Say(_cluster.Tails(15));
            throw;
        }
        finally
        {
            await EndAsync();
            _log.ShowSummary([.. _kinds.Select(k => k.Kind)]);
        }
    }

    private async Task StartAsync(CancellationToken cancellationToken)
    {
        await _log.RunAsync("start, discover pools", "", async () =>
        {
            _cluster = await EmbeddedCluster.StartAsync(
                new()
                {
                    Policy = options.Policy,
                    Nodes = NodeSpec.Many(options.Nodes, options.DiskBytes),
                    MaxVolumesPerNode = options.MaxVolumes,
                    // Whoever points a tool at a cluster that is kept stages and publishes below /tmp.
                    MorePathRoots = options.Keep ? ["/tmp"] : [],
                },
                cancellationToken);
            return $"{options.Nodes} node(s) and a controller, policy {options.Policy.Name}, in {_cluster.Directory}";
        });
        var rows = new List<IReadOnlyList<string>>();
        foreach (var node in Cluster.Nodes)
        {
            var capacity = await Cluster.Provisioner.GetCapacityAsync(node.Name, Cluster.Pool, cancellationToken);
            rows.Add(
            [
                node.Name,
                Cluster.Pool,
                string.Join(' ', node.Storage.Disks.Select(d => d.Device)),
                Texts.Bytes(capacity.AvailableCapacity),
                Texts.Bytes(capacity.MaximumVolumeSize ?? 0),
            ]);
        }

        screen.Table("Capacity", ["node", "pool", "disks", "available", "largest volume"], rows);
    }

    private async Task LiveAsync(CancellationToken cancellationToken)
    {
        var node = Cluster.Nodes[0];
        var empty = await GetCapacitiesAsync(cancellationToken);
        var volumes = _kinds.Select(k => new VolumeLife(Cluster, node.Name, k, _log)).ToList();
        foreach (var volume in volumes)
        {
            await volume.BeginAsync(cancellationToken);
            await volume.ExpandAsync(cancellationToken);
            await volume.ShowStatsAsync(cancellationToken);
            await volume.ComeBackAsync(cancellationToken);
        }

        await KillAndReturnAsync(node, volumes, cancellationToken);
        foreach (var volume in volumes)
        {
            await volume.EndAsync(cancellationToken);
        }

        await _log.RunAsync("nothing left of the volumes", "", async () =>
        {
            var left = await Cluster.FindDriverLeftoversAsync(cancellationToken);
            var full = await GetCapacitiesAsync(cancellationToken);
            return left.Count > 0 ? throw new HarnessException($"Left over: {string.Join("; ", left)}")
                : !full.SequenceEqual(empty) ? throw new HarnessException(
                    $"Capacities are {string.Join(", ", full)} bytes; they were {string.Join(", ", empty)}.")
                : "no volumes, mounts, devices, files; all capacity is back";
        });
    }

    /// <summary>kill -9 to the silo that holds the volumes, while a pod writes to one of them.</summary>
    private async Task KillAndReturnAsync(
        ClusterNode node, List<VolumeLife> volumes, CancellationToken cancellationToken)
    {
        var ledger = await GetCapacitiesAsync(cancellationToken);
        var disk = await node.Storage.ListVolumesAsync(cancellationToken);
        await using var writer = volumes[0].StartWriter();
        await _log.RunAsync("kill -9 the volumes' silo", "", async () =>
        {
            var id = node.Process!.Id;
            await node.KillAsync(cancellationToken);
            await writer.WaitForAsync(1 << 20, cancellationToken);
            return $"process {id} of {node.Name}; its pods write on";
        });
        await _log.RunAsync("silo is back", "", async () =>
        {
            await Cluster.RestartAsync(node, cancellationToken);
            return $"process {node.Process!.Id}";
        });
        await _log.RunAsync("volumes and ledger intact", "", async () =>
        {
            await RequireVolumesAsync(volumes, cancellationToken);
            await Task.WhenAll(volumes.Select(v => v.VerifyAsync(cancellationToken)));
            await writer.StopAndVerifyAsync(cancellationToken);
            var after = await GetCapacitiesAsync(cancellationToken);
            var onDisk = await node.Storage.ListVolumesAsync(cancellationToken);
            return !after.SequenceEqual(ledger) ? throw new HarnessException(
                    $"Capacities are {string.Join(", ", after)} bytes; they were {string.Join(", ", ledger)}.")
                : !onDisk.ToHashSet().SetEquals(disk) ? throw new HarnessException(
                    $"The disk holds {string.Join(", ", onDisk)}; it held {string.Join(", ", disk)}.")
                : $"{volumes.Count} volumes, checksums as written, capacities as before";
        });
    }

    private async Task RequireVolumesAsync(List<VolumeLife> volumes, CancellationToken cancellationToken)
    {
        var listed = await Cluster.Controller.Csi.Controller.ListVolumesAsync(new(), cancellationToken: cancellationToken);
        var sizes = listed.Entries.ToDictionary(e => e.Volume.VolumeId, e => e.Volume.CapacityBytes);
        foreach (var volume in volumes.Select(v => v.Volume))
        {
            if (!sizes.TryGetValue(volume.Handle, out var bytes) || bytes != volume.Bytes)
            {
                throw new HarnessException($"Volume {volume.Handle} is listed with {bytes} bytes, not with {volume.Bytes}.");
            }
        }
    }

    private async Task KeepAsync(CancellationToken cancellationToken)
    {
        screen.Say($"The cluster stays up until Ctrl-C (process {Environment.ProcessId}).");
        foreach (var member in Cluster.Members)
        {
            screen.Say($"  {member.Name,-10}  unix://{member.SocketPath}");
        }

        screen.Say($"  state       {Cluster.StateFile}");
        screen.Say($"  logs        {Cluster.LogDirectory}/");
        await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task EndAsync()
    {
        if (_cluster is not null)
        {
            await _log.RunAsync("stop, nothing left at all", "", async () =>
            {
                var problems = await _cluster.RemoveAsync();
                return problems.Count == 0
                    ? "no volume groups, mounts, loop devices, files, processes"
                    : throw new HarnessException(string.Join("; ", problems));
            });
        }
    }

    private async Task<List<long>> GetCapacitiesAsync(CancellationToken cancellationToken)
    {
        var capacities = new List<long>();
        foreach (var node in Cluster.Nodes)
        {
            capacities.Add(await Cluster.GetCapacityAsync(node.Name, cancellationToken));
        }

        return capacities;
    }
}
