using Carina.Grains.Agents;
using Carina.Grains.Tests.Failover.Simulation.Cluster;
using Carina.Grains.Volumes;

namespace Carina.Grains.Tests.Failover.Simulation;

/// <summary>What must never happen, looked at wherever it could: at every write, every change of a record, every pod that is removed.</summary>
internal sealed class SimChecks
{
    /// <summary>
    /// A machine that stood still and goes on writes until its clock is looked at and the device is cut off
    /// (docs/limitations.md): the only writes of an old holder that are put up with.
    /// </summary>
    private static readonly TimeSpan _thawGrace = TimeSpan.FromSeconds(1.5);

    private static readonly TimeSpan _oldEnough = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan _copyInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _writeInterval = TimeSpan.FromMilliseconds(250);

    private readonly SimCluster _cluster;
    private readonly Dictionary<string, long> _newest = [];

    public SimChecks(SimCluster cluster)
    {
        _cluster = cluster;
        cluster.Api.Volumes.Changed = OnVolume;
        cluster.Api.Releasing = OnRelease;
        Contents = new(cluster);
        cluster.Simulator.Every(_writeInterval, WriteAll);
        cluster.Simulator.Every(_copyInterval, Contents.LookAtCopies);
    }

    /// <summary>Records that pods got acknowledged.</summary>
    public long Writes { get; private set; }

    /// <summary>Volumes that came to another node.</summary>
    public int Moves { get; private set; }

    public int Cancellations { get; private set; }

    public SimContentChecks Contents { get; }

    /// <summary>Every container writes a record to each of its volumes, if it can.</summary>
    public void Write(SimMachine machine, SimContainer container)
    {
        foreach (var key in container.Volumes)
        {
            if (machine.IsRunning && !container.Dead.Contains(key) && !machine.Cut.Contains(key))
            {
                Acknowledge(machine, key);
            }
        }
    }

    /// <summary>At the end, when all is calm: what is promised is what is there is what is recorded.</summary>
    public string FindLeak()
    {
        foreach (var machine in _cluster.Machines)
        {
            var ledger = _cluster.Api.Ledgers.Records.GetValueOrDefault(machine.Name).Value;
            var promised = ledger?.Allocations.Select(a => (a.VolumeId, a.Generation, a.Bytes)).Order().ToList() ?? [];
            var there = machine.Disk.Values.Select(v => (v.Key.VolumeId, v.Key.Generation, v.Bytes)).Order().ToList();
            var claimed = _cluster.Records
                .SelectMany(r => r.Retired.Select(c => (c.NodeName, c.KeyOf(r.VolumeId).VolumeId, c.Generation, c.Bytes)).Append((r.NodeName, r.VolumeId, r.Generation, r.Bytes)))
                .Where(c => c.NodeName == machine.Name)
                .Select(c => (c.VolumeId, c.Generation, c.Bytes))
                .Order()
                .ToList();
            if (!promised.SequenceEqual(there) || !there.SequenceEqual(claimed))
            {
                return $"{machine.Name}: promised {Show(promised)}, on disk {Show(there)}, recorded {Show(claimed)}";
            }

            if (ledger?.Allocations.Any(a => a.ExpiresAt is not null) == true || ledger?.Pools.Any(p => p.Unexplained.Count > 0) == true)
            {
                return $"{machine.Name}: not all of {Show(promised)} is confirmed";
            }
        }

        return _cluster.Records.FirstOrDefault(r => r.Abandoned.Count > 0) is { } left
            ? $"{left.VolumeId} still has abandoned places: {string.Join(", ", left.Abandoned)}"
            : "";

        static string Show(List<(string VolumeId, long Generation, long Bytes)> volumes) =>
            $"[{string.Join(' ', volumes.Select(v => $"{v.VolumeId}#{v.Generation}:{v.Bytes}"))}]";
    }

    /// <summary>Whether claims and their volumes still belong together, and groups are in one place.</summary>
    public string FindMismatch()
    {
        foreach (var claim in _cluster.Api.Claims.Values)
        {
            var volume = _cluster.Api.PersistentVolumes.GetValueOrDefault(claim.VolumeName);
            if (volume is null || volume.ClaimUid != claim.Uid || volume.NodeName != _cluster.RecordOf(claim.Name).NodeName)
            {
                return $"claim {claim.Name} ({claim.Uid}) has volume {volume}";
            }
        }

        return "";
    }

    private void WriteAll()
    {
        foreach (var machine in _cluster.Machines)
        {
            foreach (var container in machine.Containers.Values)
            {
                Write(machine, container);
            }
        }
    }

    private void Acknowledge(SimMachine machine, DiskVolumeKey key)
    {
        Writes++;
        var isExcused = machine.ThawedAt is { } thawed && _cluster.Simulator.Now - thawed <= _thawGrace;
        var newest = _newest.GetValueOrDefault(key.VolumeId);
        if (key.Generation >= newest)
        {
            _newest[key.VolumeId] = key.Generation;
        }
        else if (!isExcused)
        {
            _cluster.Simulator.Fail(
                $"Two writers: {machine.Name} writes to {key.VolumeId}#{key.Generation}, generation {newest} has been written to.");
        }

        Contents.Write(machine, key, Writes, isExcused);
    }

    private void OnVolume(VolumeRecord? before, VolumeRecord after)
    {
        Contents.Change(before, after);
        var isTouched = after.Move is { Cause: Carina.Grains.Failover.MoveCause.NodeLost } || (before is { State: VolumeState.Ready } && before.NodeName != after.NodeName);
        if (isTouched && before?.Move is null && IsRefused(after.VolumeId))
        {
            _cluster.Simulator.Fail($"{after.VolumeId} is moved, though a pod of its group did not opt in.");
        }

        if (before?.Move?.Phase != after.Move?.Phase)
        {
            _cluster.Simulator.Log(
                $"{after.VolumeId} move {before?.Move?.Phase.ToString() ?? "-"} > {after.Move?.Phase.ToString() ?? "-"} (on {after.NodeName}, generation {after.Generation})");
            Cancellations += before?.Move is { Phase: Carina.Grains.Failover.MovePhase.Fencing or Carina.Grains.Failover.MovePhase.Relocating } && after.Move is null ? 1 : 0;
        }

        if (before is not null && before.Generation > after.Generation)
        {
            _cluster.Simulator.Fail($"{after.VolumeId} goes back from generation {before.Generation} to {after.Generation}.");
        }

        if (before is { State: VolumeState.Ready } && before.Generation != after.Generation)
        {
            Moves++;
            if (before.Move?.Phase != Carina.Grains.Failover.MovePhase.Relocating || before.Move.Fence.Length == 0)
            {
                _cluster.Simulator.Fail($"{after.VolumeId} leaves {before.NodeName} without a fence.");
            }
        }
    }

    /// <summary>
    /// A pod of the volume's group did not opt in. One that is just being replaced, so that there is none for a moment,
    /// cannot be asked.
    /// </summary>
    private bool IsRefused(string volumeId)
    {
        var there = _cluster.Api.Pods.Values.Where(p => _cluster.Simulator.Now - p.MadeAt > _oldEnough).Select(p => p.App).ToList();
        return there.Any(a => !a.OptedIn && GroupOf(a, there).Any(c => SimCluster.VolumeOf(c) == volumeId));
    }

    /// <summary>All claims that hang together with a pod's.</summary>
    public static HashSet<string> GroupOf(SimApp app, IReadOnlyList<SimApp> apps)
    {
        var claims = app.Claims.ToHashSet(StringComparer.Ordinal);
        while (apps.Where(a => a.Claims.Any(claims.Contains)).SelectMany(a => a.Claims).Where(claims.Add).Any())
        {
            // Until nothing is added.
        }

        return claims;
    }

    private void OnRelease(SimPod pod, bool force)
    {
        if (!pod.App.OptedIn && force)
        {
            _cluster.Simulator.Fail($"Pod {pod.Name}, which did not opt in, is removed.");
        }

        if (force && pod.App.Claims.Any(c => _cluster.RecordOf(c).NodeName == pod.NodeName))
        {
            _cluster.Simulator.Fail($"Pod {pod.Name} ({pod.Uid}) is removed from {pod.NodeName}, where its volumes are.");
        }
    }
}
