using Carina.Grains.Agents;
using Carina.Grains.Failover;
using Carina.Grains.Tests.Failover.Simulation.Cluster;
using Carina.Grains.Volumes;

namespace Carina.Grains.Tests.Failover.Simulation;

/// <summary>
/// What volumes hold: nothing acknowledged is lost but where a move says so, and copies that were left behind stay as
/// they were for as long as nobody wants them gone. Nothing else is moved on purpose than what was asked for.
/// </summary>
internal sealed class SimContentChecks(SimCluster cluster)
{
    // Two wall clocks that are wrong by half a minute each, and a little.
    private static readonly TimeSpan _clockError = TimeSpan.FromSeconds(65);
    private static readonly TimeSpan _late = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, long[]> _held = [];
    private readonly Dictionary<(string VolumeId, long Generation), Kept> _kept = [];
    private readonly Dictionary<string, TimeSpan> _leaving = [];
    private readonly HashSet<string> _asked = [];
    private readonly HashSet<string> _evacuated = [];

    /// <summary>Volumes that came elsewhere with what they held, and copies that became the volume again.</summary>
    public (int Copies, int Restores, int Discards) Count { get; private set; }

    /// <summary>An operator asks for something.</summary>
    public void Ask(string volumeId, VolumeRequestKind kind, string value) => _asked.Add($"{volumeId} {kind} {value}");

    public void Evacuate(string node) => _evacuated.Add(node);

    /// <summary>A container writes a record.</summary>
    public void Write(SimMachine machine, DiskVolumeKey key, long number, bool isExcused)
    {
        if (machine.Disk.GetValueOrDefault(key.VolumeId)?.Key != key || machine.Contents.GetValueOrDefault(key.VolumeId) is not { } content)
        {
            return;
        }

        var record = cluster.Api.Volumes.Records[key.VolumeId].Value;
        if (record.NodeName == machine.Name && record.Generation == key.Generation)
        {
            var held = HeldBy(key.VolumeId);
            RequireSame(machine, key.VolumeId, content, held, "begins to write");
            held[number % SimContent.PartCount] = number;
        }
        else if (!isExcused)
        {
            cluster.Simulator.Fail($"Two writers: {machine.Name} writes to {key.VolumeId}#{key.Generation}, which is a copy by now.");
        }
        else if (_kept.TryGetValue((key.VolumeId, key.Generation), out var kept))
        {
            kept.Parts[number % SimContent.PartCount] = number;
        }

        content.Write(number);
    }

    public void Change(VolumeRecord? before, VolumeRecord after)
    {
        if (before?.Move is { Cause: MoveCause.Requested })
        {
            _leaving[after.VolumeId] = cluster.Simulator.Now;
        }

        if (before is { Move: null } && after.Move is { Cause: MoveCause.Requested } asked && !IsAsked(after.VolumeId, asked.From.NodeName))
        {
            cluster.Simulator.Fail($"{after.VolumeId} is moved, and nobody asked for it.");
        }

        if (before?.Move is not { Phase: MovePhase.Relocating } move || after.Move is not { Phase: MovePhase.Rehoming })
        {
            return;
        }

        var id = after.VolumeId;
        _kept[(id, move.From.Generation)] = new([.. HeldBy(id)], move.From.NodeName, cluster.Simulator.Now);
        if (move.Data == MoveData.Fresh)
        {
            _held[id] = new long[SimContent.PartCount];
        }
        else if (move is { Data: MoveData.Restore, Restores: { } copy })
        {
            if (!_asked.Contains($"{id} {VolumeRequestKind.Restore} {copy.NodeName}/{copy.Generation}"))
            {
                cluster.Simulator.Fail($"{id} holds generation {copy.Generation} of {copy.NodeName} again, which nobody asked for.");
            }

            _held[id] = _kept.Remove((id, copy.Generation), out var kept) ? kept.Parts : [];
        }

        Count = move.Data switch
        {
            MoveData.Copy => Count with { Copies = Count.Copies + 1 },
            MoveData.Restore => Count with { Restores = Count.Restores + 1 },
            _ => Count,
        };
        var machine = cluster.MachineOf(after.NodeName);
        if (machine.Contents.GetValueOrDefault(id) is { } content)
        {
            RequireSame(machine, id, content, HeldBy(id), $"gets it ({move.Data})");
            content.Generation = after.Generation;
        }
        else
        {
            cluster.Simulator.Fail($"{machine.Name} gets {id}, and has nothing of it.");
        }
    }

    /// <summary>An agent removes a volume from its disk.</summary>
    public void Delete(SimMachine machine, DiskVolumeKey key)
    {
        var generation = machine.Contents[key.VolumeId].Generation;
        var id = RetiredCopyId.VolumeOf(key.VolumeId) ?? key.VolumeId;
        var record = cluster.Api.Volumes.Records.GetValueOrDefault(id).Value;
        if (record is { State: VolumeState.Ready } && record.NodeName == machine.Name && record.Generation == generation)
        {
            cluster.Simulator.Fail($"{machine.Name} removes {id}#{generation}, which is the volume.");
        }

        if (_kept.Remove((id, generation), out var kept))
        {
            Count = Count with { Discards = Count.Discards + 1 };
            var isExpired = cluster.Options.CopyRetention is { } retention && cluster.Simulator.Now - kept.Since > retention - _clockError;
            if (!isExpired && !_asked.Contains($"{id} {VolumeRequestKind.Discard} {machine.Name}/{generation}"))
            {
                cluster.Simulator.Fail($"{machine.Name} removes the copy {id}#{generation}, which nobody asked for.");
            }
        }
    }

    /// <summary>A last pass has ended; that of a move which was cancelled meanwhile is of no use to anybody.</summary>
    public void CopiedExactly(SimMachine machine, CopyOrder order)
    {
        var from = order.From;
        if (!machine.Cut.Contains(from) && cluster.Api.Volumes.Records[from.VolumeId].Value.Move?.Id == order.MoveId)
        {
            cluster.Simulator.Fail($"{from.VolumeId}#{from.Generation} was copied for the last time, and {machine.Name} can write to it.");
        }
    }

    public void Evicted(SimPod pod)
    {
        // What was sent before the move was cancelled still arrives.
        var isLate = pod.App.Claims.Any(c => cluster.Simulator.Now - _leaving.GetValueOrDefault(SimCluster.VolumeOf(c)) < _late)
            || cluster.Machines.Any(m => cluster.Simulator.Now - m.ThawedAt < _late);
        if (!isLate && !pod.App.Claims.Any(c => cluster.RecordOf(c).Move is { Cause: MoveCause.Requested }))
        {
            cluster.Simulator.Fail($"Pod {pod.Name} is evicted, and none of its volumes is to be moved.");
        }
    }

    /// <summary>Whether all copies are as they were left.</summary>
    public void LookAtCopies()
    {
        foreach (var ((id, generation), kept) in _kept)
        {
            var found = cluster.MachineOf(kept.Node).Contents
                .FirstOrDefault(c => c.Value.Generation == generation && (RetiredCopyId.VolumeOf(c.Key) ?? c.Key) == id).Value;
            if (found is null || !found.Parts.SequenceEqual(kept.Parts))
            {
                cluster.Simulator.Fail(
                    $"The copy {id}#{generation} on {kept.Node} held {Show(kept.Parts)} and holds {(found is null ? "nothing" : Show(found.Parts))}.");
            }
        }
    }

    private bool IsAsked(string volumeId, string from)
    {
        if (_evacuated.Contains(from))
        {
            return true;
        }

        var app = cluster.Apps.First(a => a.Claims.Any(c => SimCluster.VolumeOf(c) == volumeId));
        var group = SimChecks.GroupOf(app, cluster.Apps).Select(SimCluster.VolumeOf).ToList();
        return _asked.Any(a => group.Any(v => a.StartsWith($"{v} {VolumeRequestKind.Move} ", StringComparison.Ordinal)
            || a.StartsWith($"{v} {VolumeRequestKind.Restore} ", StringComparison.Ordinal)));
    }

    private void RequireSame(SimMachine machine, string id, SimContent content, long[] held, string what)
    {
        if (!content.Parts.SequenceEqual(held))
        {
            cluster.Simulator.Fail($"Data is lost: {machine.Name} {what} {id}, which held {Show(held)}, and has {Show(content.Parts)}.");
        }
    }

    private long[] HeldBy(string id) =>
        _held.TryGetValue(id, out var held) ? held : _held[id] = new long[SimContent.PartCount];

    private static string Show(long[] parts) => $"[{string.Join(' ', parts)}]";

    private sealed record Kept(long[] Parts, string Node, TimeSpan Since);
}
