using Carina.Grains.Agents;

namespace Carina.Grains.Nodes;

/// <summary>
/// The arithmetic of promises on one node, without clock, store or network. For every pool and at every moment:
/// foreign + unexplained + promised bytes never exceed size − reserve because of a promise made here. (They may because
/// of what others put on the disk; then nothing more is promised.)
/// </summary>
public sealed class NodeLedger
{
    /// <summary>How long an unconfirmed promise holds.</summary>
    public static readonly TimeSpan ReservationTtl = TimeSpan.FromMinutes(5);

    /// <summary>
    /// How much longer the bytes stay set aside, so that no command sent under the promise, and no report taken before
    /// it lapsed, can still be on its way: messages between silos live for at most half of this.
    /// </summary>
    public static readonly TimeSpan LapseGrace = TimeSpan.FromMinutes(3);

    private readonly string _nodeName;
    private readonly Dictionary<string, LedgerPool> _pools = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Allocation> _allocations = new(StringComparer.Ordinal);
    private Dictionary<string, string> _labels = [];
    private long _incarnation;
    private long _sequence;

    public NodeLedger(string nodeName) => _nodeName = nodeName;

    public NodeLedger(NodeRecord record)
        : this(record.NodeName)
    {
        _incarnation = record.Incarnation;
        _labels = record.Labels;
        foreach (var pool in record.Pools)
        {
            _pools.Add(pool.Name, pool);
        }

        foreach (var allocation in record.Allocations)
        {
            _allocations.Add(allocation.VolumeId, allocation);
        }
    }

    /// <summary>All promises.</summary>
    public IReadOnlyCollection<Allocation> Allocations => _allocations.Values;

    /// <summary>Volumes on disk that no promise explains, with their pools.</summary>
    public IEnumerable<(string Pool, Unexplained Volume)> Unexplained =>
        _pools.Values.SelectMany(p => p.Unexplained.Select(u => (p.Name, u)));

    /// <summary>Volumes on disk that are named as ours but do not bear our tags, with their pools.</summary>
    public IEnumerable<(string Pool, Unexplained Volume)> Unclaimed =>
        _pools.Values.SelectMany(p => p.Unclaimed.Select(u => (p.Name, u)));

    public NodeRecord ToRecord() => new()
    {
        NodeName = _nodeName,
        Incarnation = _incarnation,
        Labels = _labels,
        Pools = [.. _pools.Values.OrderBy(p => p.Name, StringComparer.Ordinal)],
        Allocations = [.. _allocations.Values.OrderBy(a => a.VolumeId, StringComparer.Ordinal)],
    };

    /// <summary>The promise to a volume, or null.</summary>
    public Allocation? Find(string volumeId) => _allocations.GetValueOrDefault(volumeId);

    /// <summary>Bytes of a pool that can still be promised; may be negative when others took what was promised.</summary>
    public long Available(string pool)
    {
        if (!_pools.TryGetValue(pool, out var p))
        {
            return 0;
        }

        var promised = _allocations.Values.Where(a => a.Pool == pool).Sum(a => a.Bytes);
        var unexplained = p.Unexplained.Sum(u => u.Bytes);
        return p.SizeBytes - p.ForeignBytes - p.ReserveBytes - unexplained - promised;
    }

    /// <summary>Promises bytes, renews a promise, or grows one; never shrinks.</summary>
    public ReservationResult Reserve(Reservation reservation, DateTimeOffset now)
    {
        var (key, wanted, limit) = reservation;
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(wanted);
        if (!_pools.TryGetValue(key.Pool, out var pool))
        {
            return new(ReservationOutcome.UnknownPool, 0, 0);
        }

        var current = _allocations.GetValueOrDefault(key.VolumeId);
        if (current is not null && (current.Generation > key.Generation || current.Pool != key.Pool))
        {
            return new(ReservationOutcome.StaleGeneration, 0, 0);
        }

        var available = Available(key.Pool);
        var held = current?.Bytes ?? 0;
        if (!TryRoundUp(wanted, pool.GranularityBytes, out var bytes) || bytes - held > available)
        {
            return new(ReservationOutcome.NotEnough, 0, FloorToGranularity(pool, available));
        }

        if (limit > 0 && bytes > limit)
        {
            return new(ReservationOutcome.OverLimit, bytes, available);
        }

        if (pool.Problem.Length > 0 && bytes > held)
        {
            return new(ReservationOutcome.NotEnough, 0, 0);
        }

        bytes = Math.Max(bytes, held);
        _allocations[key.VolumeId] = new Allocation
        {
            VolumeId = key.VolumeId,
            Pool = key.Pool,
            Generation = key.Generation,
            Bytes = bytes,
            DiskBytes = current?.DiskBytes ?? 0,
            Attached = current?.Attached ?? false,
            ExpiresAt = current?.DiskBytes == bytes ? current.ExpiresAt : now + ReservationTtl,
        };
        return new(ReservationOutcome.Reserved, bytes, available);
    }

    /// <summary>The disk has it at this size: from here on only <see cref="Release"/> frees it.</summary>
    public void Confirm(DiskVolumeKey key, long bytes)
    {
        var current = _allocations.GetValueOrDefault(key.VolumeId);
        if (current is not null && current.Generation > key.Generation)
        {
            return;
        }

        _allocations[key.VolumeId] = new Allocation
        {
            VolumeId = key.VolumeId,
            Pool = key.Pool,
            Generation = key.Generation,
            Bytes = bytes,
            DiskBytes = bytes,
            Attached = current?.Attached ?? false,
            ExpiresAt = null,
        };
        Explain(key);
    }

    /// <summary>The disk calls it otherwise now: the promise goes with it.</summary>
    public void Rename(DiskVolumeKey from, DiskVolumeKey to, long bytes)
    {
        if (_allocations.TryGetValue(from.VolumeId, out var current) && Explains(current, from))
        {
            _allocations.Remove(from.VolumeId);
        }

        Explain(from);
        Confirm(to, bytes);
    }

    /// <summary>Gives the bytes back. A newer generation's promise stays.</summary>
    public void Release(string volumeId, long generation)
    {
        if (_allocations.TryGetValue(volumeId, out var current) && current.Generation <= generation)
        {
            _allocations.Remove(volumeId);
        }

        foreach (var pool in _pools.Values.ToList())
        {
            _pools[pool.Name] = pool with
            {
                Unexplained = [.. pool.Unexplained.Where(u => u.VolumeId != volumeId || u.Generation > generation)],
            };
        }
    }

    /// <summary>Marks a volume attached. False when the node has its fill of attached volumes.</summary>
    public bool TryAttach(string volumeId, int limit)
    {
        if (!_allocations.TryGetValue(volumeId, out var current))
        {
            return false;
        }

        if (!current.Attached && limit > 0 && _allocations.Values.Count(a => a.Attached) >= limit)
        {
            return false;
        }

        _allocations[volumeId] = current with { Attached = true };
        return true;
    }

    public void Detach(string volumeId)
    {
        if (_allocations.TryGetValue(volumeId, out var current))
        {
            _allocations[volumeId] = current with { Attached = false };
        }
    }

    /// <summary>
    /// Takes in what the disk says. Confirmed promises stay whatever it says; lapsed ones go once a report shows that
    /// nothing was, or is being, made of them. Returns false when the report is older than what is known.
    /// </summary>
    public bool Apply(NodeReport report, DateTimeOffset now)
    {
        if (report.Incarnation < _incarnation
            || (report.Incarnation == _incarnation && report.Sequence <= _sequence))
        {
            return false;
        }

        _incarnation = report.Incarnation;
        _sequence = report.Sequence;
        _labels = report.Labels;
        var inFlight = report.InFlight.ToHashSet(StringComparer.Ordinal);
        var onDisk = report.Pools.SelectMany(p => p.Volumes).ToLookup(v => v.Key.VolumeId, StringComparer.Ordinal);

        foreach (var allocation in _allocations.Values.ToList())
        {
            var found = onDisk[allocation.VolumeId].FirstOrDefault(v => Explains(allocation, v.Key));
            if (inFlight.Contains(allocation.VolumeId))
            {
                continue;
            }

            Settle(allocation, found, now);
        }

        _pools.Clear();
        foreach (var pool in report.Pools)
        {
            _pools[pool.Name] = ToLedgerPool(pool, inFlight);
        }

        return true;
    }

    public NodeCapacity ToCapacity() => new(
        _nodeName,
        [.. _pools.Values.OrderBy(p => p.Name, StringComparer.Ordinal).Select(p => new PoolCapacity
        {
            Name = p.Name,
            Policy = p.Policy,
            SizeBytes = p.SizeBytes,
            AvailableBytes = p.Problem.Length > 0 ? 0 : FloorToGranularity(p, Available(p.Name)),
            AllocatedBytes = _allocations.Values.Where(a => a.Pool == p.Name).Sum(a => a.Bytes),
            GranularityBytes = p.GranularityBytes,
            Volumes = _allocations.Values.Count(a => a.Pool == p.Name),
            Problem = p.Problem,
        })],
        _labels);

    private static bool Explains(Allocation allocation, DiskVolumeKey key) =>
        allocation.VolumeId == key.VolumeId && allocation.Pool == key.Pool && allocation.Generation == key.Generation;

    private static bool TryRoundUp(long bytes, long granularity, out long rounded)
    {
        rounded = 0;
        if (bytes > long.MaxValue - granularity)
        {
            return false;
        }

        rounded = (bytes + granularity - 1) / granularity * granularity;
        return true;
    }

    private static long FloorToGranularity(LedgerPool pool, long bytes) =>
        Math.Max(0, bytes / pool.GranularityBytes * pool.GranularityBytes);

    private void Settle(Allocation allocation, DiskVolume? found, DateTimeOffset now)
    {
        var lapsed = allocation.ExpiresAt is { } expiry && now > expiry + LapseGrace;
        if (found is null)
        {
            if (lapsed && allocation.DiskBytes == 0)
            {
                _allocations.Remove(allocation.VolumeId);
            }
            else if (allocation.DiskBytes > 0)
            {
                _allocations[allocation.VolumeId] = allocation with { Problem = "The disk does not show this volume." };
            }

            return;
        }

        _allocations[allocation.VolumeId] = allocation with
        {
            DiskBytes = found.Bytes,
            // A report may be older than a confirmation, so only a lapsed promise ever shrinks.
            Bytes = lapsed ? found.Bytes : Math.Max(allocation.Bytes, found.Bytes),
            ExpiresAt = lapsed ? null : allocation.ExpiresAt,
            Problem = found.Problem,
        };
    }

    private LedgerPool ToLedgerPool(PoolReport report, HashSet<string> inFlight) => new()
    {
        Name = report.Name,
        Policy = report.Policy,
        SizeBytes = report.SizeBytes,
        ForeignBytes = report.ForeignBytes,
        ReserveBytes = report.ReserveBytes,
        GranularityBytes = Math.Max(1, report.GranularityBytes),
        Problem = report.Problem,
        VolumeGroup = report.VolumeGroup,
        Unclaimed = [.. report.Unclaimed.Select(v => new Unexplained(v.Key.VolumeId, v.Key.Generation, v.Bytes))],
        Unexplained =
        [
            .. report.Volumes
                .Where(v => !inFlight.Contains(v.Key.VolumeId)
                    && !(_allocations.TryGetValue(v.Key.VolumeId, out var a) && Explains(a, v.Key)))
                .Select(v => new Unexplained(v.Key.VolumeId, v.Key.Generation, v.Bytes)),
        ],
    };

    private void Explain(DiskVolumeKey key)
    {
        if (!_pools.TryGetValue(key.Pool, out var pool) || pool.Unexplained.Count + pool.Unclaimed.Count == 0)
        {
            return;
        }

        // From foreign to promised: its bytes count once at any moment.
        var claimed = pool.Unclaimed.Where(u => u.VolumeId == key.VolumeId && u.Generation == key.Generation).ToList();
        _pools[key.Pool] = pool with
        {
            ForeignBytes = pool.ForeignBytes - claimed.Sum(u => u.Bytes),
            Unclaimed = [.. pool.Unclaimed.Except(claimed)],
            Unexplained =
            [
                .. pool.Unexplained.Where(u => u.VolumeId != key.VolumeId || u.Generation != key.Generation),
            ],
        };
    }
}
