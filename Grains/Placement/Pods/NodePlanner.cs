using Carina.Grains.Configuration;
using Carina.Grains.Nodes;

namespace Carina.Grains.Placement.Pods;

/// <summary>Plans a pod on one node.</summary>
internal sealed class NodePlanner
{
    private readonly PodDemand _demand;
    private readonly string _node;
    private readonly GroupNames _groups;
    private readonly SchedulerStrategy _strategy;
    private readonly List<PoolRoom> _rooms;

    public NodePlanner(
        PodDemand demand,
        NodeCapacity node,
        IEnumerable<ExpectedDemand> expected,
        GroupNames groups,
        SchedulerStrategy strategy)
    {
        (_demand, _node, _groups, _strategy) = (demand, node.NodeName, groups, strategy);
        _rooms = [.. node.Pools.OrderBy(p => p.Name, StringComparer.Ordinal).Select(p => new PoolRoom(p))];
        Expect([.. expected.SelectMany(e => e.Parts)]);
    }

    private IEnumerable<PoolRoom> Open => _rooms.Where(r => r.IsUsable && r.Problem.Length == 0);

    public NodePlan Plan()
    {
        var parts = _demand.Claims.Where(c => c.PromisedAt != _node).SelectMany(c => c.Parts.Select(p => new Part(c.Claim, p))).ToList();
        var taken = new Dictionary<PoolRoom, Int128>();
        var placements = new List<PartPlacement>();
        var obstacles = new List<Obstacle>();
        foreach (var group in parts.Where(p => p.Demand.Group.Length > 0).GroupBy(p => _groups.Resolve(p.Demand.Group)))
        {
            if (FindObstacle(group.Key, [.. group]) is { } obstacle)
            {
                obstacles.Add(obstacle);
                continue;
            }

            Place(_rooms.Single(r => r.Name == group.Key), group);
        }

        var anywhere = parts.Where(p => p.Demand.Group.Length == 0).ToList();
        if (obstacles.Count == 0 && anywhere.Count > 0 && PlaceAnywhere(anywhere, taken, Place) is { } noRoom)
        {
            obstacles.Add(noRoom);
        }

        // What no waiting can cure is the better answer.
        return obstacles.Count > 0
            ? new() { NodeName = _node, Obstacle = obstacles.Find(o => o.Permanent) ?? obstacles[0] }
            : new() { NodeName = _node, Placements = placements, Suitability = Suitability.Of(taken, _strategy) };

        void Place(PoolRoom room, IEnumerable<Part> some)
        {
            foreach (var part in some)
            {
                var bytes = room.RoundUp(part.Demand.Bytes);
                taken[room] = taken.GetValueOrDefault(room) + bytes;
                placements.Add(new(part.Claim, room.Name, (long)bytes));
            }
        }
    }

    private Obstacle? FindObstacle(string group, IReadOnlyList<Part> parts)
    {
        if (_rooms.Find(r => r.Name == group) is not { } room)
        {
            return new($"has no group {group}", Permanent: true);
        }

        if (!room.IsUsable)
        {
            return new(
                $"group {group} has policy {room.Policy.ToString().ToUpperInvariant()}, of which this release makes no volumes",
                Permanent: true);
        }

        if (parts.Any(p => p.Demand.Exclusive))
        {
            return new(
                $"group {group} has no disks for one volume alone ({CarinaNames.ExclusiveRawDisk} needs a RAW group)",
                Permanent: true);
        }

        if (room.Problem.Length > 0)
        {
            return new($"group {group} takes nothing new: {room.Problem}", Permanent: false)
            {
                Summary = $"group {group} takes nothing new",
            };
        }

        var asked = parts.Aggregate((Int128)0, (sum, p) => sum + room.RoundUp(p.Demand.Bytes));
        return asked <= room.Free
            ? null
            : new Obstacle(
                $"group {group} has {Left(room)}, {Asking(parts)} for {ByteText.Asked(asked)}",
                Permanent: asked > room.SizeBytes)
            {
                Summary = $"group {group} has less left than the {ByteText.Asked(asked)} that {Asking(parts)} for",
            };
    }

    /// <summary>Places parts that may go into any pool.</summary>
    private Obstacle? PlaceAnywhere(
        List<Part> parts, Dictionary<PoolRoom, Int128> taken, Action<PoolRoom, IEnumerable<Part>> place)
    {
        var usable = _rooms.Where(r => r.IsUsable).ToList();
        if (usable.Count == 0)
        {
            return new("has no group of which this release makes volumes", Permanent: true);
        }

        var exclusive = parts.Find(p => p.Demand.Exclusive);
        if (exclusive is not null)
        {
            return new(
                $"has no disks for one volume alone, which claim {exclusive.Claim} asks for ({CarinaNames.ExclusiveRawDisk})",
                Permanent: true);
        }

        var rooms = Open.ToList();
        var free = rooms.Select(r => (long)(r.Free - taken.GetValueOrDefault(r))).ToList();
        if (PoolPacking.Pack([.. parts.Select(p => p.Demand.Bytes)], rooms, free, _strategy) is { } places)
        {
            for (var i = 0; i < parts.Count; i++)
            {
                place(rooms[places[i]], [parts[i]]);
            }

            return null;
        }

        var asked = parts.Aggregate((Int128)0, (sum, p) => sum + p.Demand.Bytes);
        var largest = parts.Max(p => p.Demand.Bytes);
        var asking = $"{Asking(parts)} for {ByteText.Asked(asked)}"
            + (parts.Count > 1 ? $", of that {ByteText.Asked(largest)} in one piece" : "");
        var left = rooms.Count == 0
            ? $"group {usable[0].Name} takes nothing new: {usable[0].Problem}"
            : rooms.Count == 1 ? $"group {rooms[0].Name} has {Left(rooms[0], free[0])}"
            : "groups have " + string.Join(" and ", rooms.Select((r, i) => $"{r.Name} {Left(r, free[i])}"));
        return new(
            $"{left}, {asking}",
            Permanent: usable.All(r => largest > r.SizeBytes)
                || asked > usable.Aggregate((Int128)0, (sum, r) => sum + r.SizeBytes))
        {
            Summary = $"its groups have not as much left as {asking}",
        };
    }

    /// <summary>Takes off what is on its way here, where creating it will probably put it.</summary>
    private void Expect(List<PoolDemand> expected)
    {
        foreach (var part in expected.Where(p => p.Group.Length > 0))
        {
            _rooms.Find(r => r.Name == _groups.Resolve(part.Group))?.Expect(part.Bytes);
        }

        foreach (var part in expected.Where(p => p.Group.Length == 0).OrderByDescending(p => p.Bytes))
        {
            var open = Open.ToList();
            var chosen = PoolPacking.Choose(part.Bytes, open, [.. open.Select(r => r.Free)], _strategy);

            // Where it does not fit it will fail; until then the fullest promise is the careful one.
            var room = chosen >= 0 ? open[chosen] : open.MaxBy(r => r.Free);
            room?.Expect(part.Bytes);
        }
    }

    private string Asking(IReadOnlyList<Part> parts)
    {
        var claims = parts.Select(p => p.Claim).Distinct(StringComparer.Ordinal).Count();
        return claims == 1
            ? _demand.Claims.Count == 1 ? "the pod's claim asks" : $"claim {parts[0].Claim} asks"
            : $"the pod's {claims} claims ask";
    }

    private static string Left(PoolRoom room) => Left(room, room.Free);

    private static string Left(PoolRoom room, long free) => $"{ByteText.Left(Math.Max(0, free))} left"
        + (room.Expected > 0 ? $" beside {ByteText.Asked(room.Expected)} for pods on their way" : "");

    private sealed record Part(string Claim, PoolDemand Demand);
}
