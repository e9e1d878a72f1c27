using System.Globalization;

namespace Carina.Grains.Tests.Failover.Simulation.Engine;

/// <summary>
/// One thread, one virtual clock, one source of chance: whatever could run now runs one at a time in an order that the
/// seed decides, and time passes only when nothing can. The same seed gives the same run.
/// </summary>
internal sealed class Simulator(int seed)
{
    private const int Tail = 400;
    private const long LongestRun = 1_000_000;
    private const ulong Prime = 1099511628211;

    private readonly PriorityQueue<SimEvent, (long At, long Order)> _events = new();
    private readonly List<(SimProcess Process, Task Task)> _ready = [];
    private readonly Queue<string> _log = new();
    private long _order;

    /// <summary>Every choice of the run is drawn from here.</summary>
    public Random Random { get; } = new(seed);

    /// <summary>True time since the start; nobody in the simulated world can read it.</summary>
    public TimeSpan Now { get; private set; }

    /// <summary>Tasks and events that ran.</summary>
    public long Steps { get; private set; }

    /// <summary>Hash over everything that was logged, when, and after how many steps.</summary>
    public ulong Hash { get; private set; } = 14695981039346656037;

    /// <summary>What was found to be wrong first; null while nothing is.</summary>
    public string? Failure { get; private set; }

    /// <summary>The last entries of the log.</summary>
    public IEnumerable<string> LogTail => _log;

    /// <summary>Also takes in what production code logs.</summary>
    public bool IsVerbose { get; init; }

    /// <summary>Called after every step.</summary>
    public Action AfterStep { get; set; } = () => { };

    public bool Chance(double probability) => Random.NextDouble() < probability;

    public TimeSpan Between(double fromSeconds, double toSeconds) =>
        TimeSpan.FromSeconds(fromSeconds + (Random.NextDouble() * (toSeconds - fromSeconds)));

    public T Pick<T>(IReadOnlyList<T> items) => items[Random.Next(items.Count)];

    /// <summary>Runs something later, in nobody's process.</summary>
    public SimEvent After(TimeSpan delay, Action act)
    {
        var item = new SimEvent(act);
        _events.Enqueue(item, (Now.Ticks + Math.Max(0, delay.Ticks), _order++));
        return item;
    }

    /// <summary>Runs something again and again, in nobody's process.</summary>
    public void Every(TimeSpan interval, Action act) => After(interval, () =>
    {
        act();
        Every(interval, act);
    });

    public void Enqueue(SimProcess process, Task task) => _ready.Add((process, task));

    public void Log(string what)
    {
        Mix((ulong)Now.Ticks);
        Mix((ulong)Steps);
        foreach (var c in what)
        {
            Mix(c);
        }

        Note(what);
    }

    /// <summary>As <see cref="Log"/>, for what is not the same in every run (move ids).</summary>
    public void Note(string what)
    {
        _log.Enqueue(Now.TotalSeconds.ToString("000.000 ", CultureInfo.InvariantCulture) + what);
        if (_log.Count > Tail && !IsVerbose)
        {
            _log.Dequeue();
        }
    }

    public void Fail(string what)
    {
        Failure ??= what;
        Log("FAILURE " + what);
    }

    /// <summary>Runs until the condition holds, or so long; whether it held.</summary>
    public bool RunUntil(Func<bool> condition, TimeSpan longest)
    {
        var end = Now + longest;
        while (Failure is null && Steps < LongestRun)
        {
            if (_ready.Count > 0)
            {
                RunOne();
                continue;
            }

            if (condition())
            {
                return true;
            }

            if (!_events.TryPeek(out _, out var next) || next.At > end.Ticks)
            {
                Now = end;
                return false;
            }

            var item = _events.Dequeue();
            if (item.Act is not { } act)
            {
                continue;
            }

            Now = TimeSpan.FromTicks(next.At);
            Steps++;
            act();
            AfterStep();
        }

        if (Failure is null)
        {
            Fail("The run does not end.");
        }

        return false;
    }

    public void RunFor(TimeSpan time) => RunUntil(() => false, time);

    private void RunOne()
    {
        var index = _ready.Count == 1 ? 0 : Random.Next(_ready.Count);
        var (process, task) = _ready[index];
        _ready[index] = _ready[^1];
        _ready.RemoveAt(_ready.Count - 1);
        Steps++;
        process.Run(task);
        AfterStep();
    }

    private void Mix(ulong value) => Hash = (Hash ^ value) * Prime;
}

/// <summary>Something that is to happen; does not, once it is cancelled.</summary>
internal sealed class SimEvent(Action act)
{
    public Action? Act { get; private set; } = act;

    public void Cancel() => Act = null;
}
