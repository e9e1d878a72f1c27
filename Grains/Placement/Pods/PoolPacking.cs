using Carina.Grains.Configuration;

namespace Carina.Grains.Placement.Pods;

/// <summary>Distributes parts that may go anywhere over the pools of a node.</summary>
internal static class PoolPacking
{
    /// <summary>
    /// Bound of the search. It is exact where there are few parts (seven on four pools are 4^7 = 16,384 ways); beyond, a
    /// way that exists may not be found, and the pod waits for another node or for more room.
    /// </summary>
    private const int MaxSteps = 20_000;

    /// <summary>For each part the index of its pool; null when they do not fit.</summary>
    public static int[]? Pack(
        IReadOnlyList<long> parts, IReadOnlyList<PoolRoom> rooms, IReadOnlyList<long> free, SchedulerStrategy strategy)
    {
        // The largest first: it has the fewest places to go.
        var order = Enumerable.Range(0, parts.Count).OrderByDescending(i => parts[i]).ToArray();
        var places = new int[parts.Count];
        return PackAsCreated(parts, order, rooms, [.. free], places, strategy) || new Search(parts, order, rooms, [.. free], places).Run()
            ? places
            : null;
    }

    /// <summary>The pool that creating a volume would choose; -1 when none has room.</summary>
    public static int Choose(long bytes, IReadOnlyList<PoolRoom> rooms, IReadOnlyList<long> free, SchedulerStrategy strategy)
    {
        var best = -1;
        for (var i = 0; i < rooms.Count; i++)
        {
            if (rooms[i].RoundUp(bytes) <= free[i]
                && (best < 0 || (strategy == SchedulerStrategy.Binpack ? free[i] < free[best] : free[i] > free[best])))
            {
                best = i;
            }
        }

        return best;
    }

    private static bool PackAsCreated(
        IReadOnlyList<long> parts, int[] order, IReadOnlyList<PoolRoom> rooms, long[] free, int[] places, SchedulerStrategy strategy)
    {
        foreach (var part in order)
        {
            var chosen = Choose(parts[part], rooms, free, strategy);
            if (chosen < 0)
            {
                return false;
            }

            free[chosen] -= (long)rooms[chosen].RoundUp(parts[part]);
            places[part] = chosen;
        }

        return true;
    }

    private sealed class Search(IReadOnlyList<long> parts, int[] order, IReadOnlyList<PoolRoom> rooms, long[] free, int[] places)
    {
        private int _steps;

        public bool Run(int position = 0)
        {
            if (position == order.Length)
            {
                return true;
            }

            var part = order[position];
            var first = FirstPoolFor(position);
            for (var pool = first; pool < rooms.Count && _steps < MaxSteps; pool++)
            {
                var bytes = rooms[pool].RoundUp(parts[part]);
                if (bytes > free[pool] || IsLikeEarlier(first, pool))
                {
                    continue;
                }

                _steps++;
                free[pool] -= (long)bytes;
                places[part] = pool;
                if (Run(position + 1))
                {
                    return true;
                }

                free[pool] += (long)bytes;
            }

            return false;
        }

        // Equal parts can be exchanged, so only one order of them is tried.
        private int FirstPoolFor(int position) =>
            position > 0 && parts[order[position]] == parts[order[position - 1]] ? places[order[position - 1]] : 0;

        // So can pools with the same room, of those that this part may go to.
        private bool IsLikeEarlier(int first, int pool)
        {
            for (var earlier = first; earlier < pool; earlier++)
            {
                if (free[earlier] == free[pool] && rooms[earlier].Granularity == rooms[pool].Granularity)
                {
                    return true;
                }
            }

            return false;
        }
    }
}
