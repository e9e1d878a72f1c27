using Carina.Grains.Agents;
using Carina.Grains.Tests.Failover.Simulation.Engine;

namespace Carina.Grains.Tests.Failover.Simulation.Cluster;

/// <summary>
/// A machine: its power, its clock, its disk, and what its kernel does with the volumes. What survives a power cut is
/// apart from what does not.
/// </summary>
internal sealed class SimMachine(Simulator simulator, string name)
{
    public const string Pool = "carina-vg-ssd";

    private TimeSpan _frozenSince;
    private TimeSpan _lost;

    public string Name => name;

    public Simulator Simulator => simulator;

    public List<SimProcess> Processes { get; } = [];

    /// <summary>Seconds that its clock counts in a true one.</summary>
    public double ClockRate { get; init; } = 1;

    /// <summary>How wrong its wall clock is.</summary>
    public TimeSpan WallOffset { get; init; }

    /// <summary>A frozen machine's clock stands still, which no clock that fencing relies on may do; for mutations.</summary>
    public bool ClockStopsWhenFrozen { get; init; }

    public bool IsOn { get; private set; } = true;

    public bool IsFrozen { get; private set; }

    public bool IsRunning => IsOn && !IsFrozen;

    /// <summary>When it last went on after having been frozen; the start if it never was.</summary>
    public TimeSpan? ThawedAt { get; private set; }

    /// <summary>CLOCK_BOOTTIME, but for its beginning.</summary>
    public TimeSpan Elapsed => TimeSpan.FromHours(1) + (((IsFrozen && ClockStopsWhenFrozen ? _frozenSince : simulator.Now) - _lost) * ClockRate);

    /// <summary>Number of starts: tells apart deadlines of earlier boots.</summary>
    public int Boot { get; private set; } = 1;

    // Network links; one-way each.
    public bool CutToApi { get; set; }

    public bool CutFromApi { get; set; }

    public bool CutToPeers { get; set; }

    public bool CutFromPeers { get; set; }

    // The disk, and files on it.
    public long DiskBytes { get; init; } = 100;

    public long ForeignBytes { get; set; }

    public SortedDictionary<string, DiskVolume> Disk { get; } = new(StringComparer.Ordinal);

    /// <summary>What the volumes hold, by the handles that they have on the disk.</summary>
    public SortedDictionary<string, SimContent> Contents { get; } = new(StringComparer.Ordinal);

    public SortedDictionary<string, DiskVolumeKey> FencedFile { get; } = new(StringComparer.Ordinal);

    public SortedDictionary<string, DiskVolumeKey> GuardedFile { get; } = new(StringComparer.Ordinal);

    // The kernel, and files in memory.
    public SortedDictionary<string, SimContainer> Containers { get; } = new(StringComparer.Ordinal);

    public SortedDictionary<string, DiskVolumeKey> Staged { get; } = new(StringComparer.Ordinal);

    public HashSet<DiskVolumeKey> Cut { get; } = [];

    /// <summary>What the silo has told the guard process: whether it guards, and until when.</summary>
    public (bool Guarded, TimeSpan At) Deadline { get; set; }

    public bool HasDeadline { get; set; }

    public long FreeBytes => DiskBytes - ForeignBytes - Disk.Values.Sum(v => v.Bytes);

    public bool IsUsed(string volumeId) =>
        Staged.ContainsKey(volumeId) || Containers.Values.Any(c => c.Volumes.Any(v => v.VolumeId == volumeId));

    /// <summary>Nothing that begins from now on is written to the volume; what has it open never works again.</summary>
    public void CutOff(DiskVolumeKey key)
    {
        if (Disk.TryGetValue(key.VolumeId, out var volume) && volume.Key == key && Cut.Add(key))
        {
            simulator.Log($"{name} cuts off {key.VolumeId}#{key.Generation}");
        }

        foreach (var container in Containers.Values)
        {
            container.Dead.UnionWith(container.Volumes.Where(v => v == key));
        }
    }

    public void PowerOff()
    {
        simulator.Log($"{name} loses power");
        IsOn = false;
        IsFrozen = false;
        Processes.ToList().ForEach(p => p.Kill());
        Containers.Clear();
        Staged.Clear();
        Cut.Clear();
        HasDeadline = false;
        Boot++;
    }

    public void PowerOn()
    {
        simulator.Log($"{name} has power again");
        IsOn = true;
    }

    public void Freeze()
    {
        simulator.Log($"{name} freezes");
        IsFrozen = true;
        _frozenSince = simulator.Now;
    }

    public void Thaw()
    {
        if (!IsFrozen)
        {
            return;
        }

        simulator.Log($"{name} thaws");
        _lost += ClockStopsWhenFrozen ? simulator.Now - _frozenSince : TimeSpan.Zero;
        IsFrozen = false;
        ThawedAt = simulator.Now;
        Processes.ToList().ForEach(p => p.Resume());
    }
}

/// <summary>The container of a pod, which writes to its volumes until it ends, or they are dead.</summary>
internal sealed class SimContainer(string podUid, IReadOnlyList<DiskVolumeKey> volumes)
{
    public string PodUid => podUid;

    public IReadOnlyList<DiskVolumeKey> Volumes => volumes;

    public HashSet<DiskVolumeKey> Dead { get; } = [];
}
