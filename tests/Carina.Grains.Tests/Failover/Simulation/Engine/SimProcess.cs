using Carina.Grains.Tests.Failover.Simulation.Cluster;

namespace Carina.Grains.Tests.Failover.Simulation.Engine;

/// <summary>
/// A process on a machine: its tasks run only while it lives, is not stopped, and its machine runs. What becomes due
/// while it stands still happens when it goes on; what a killed process had begun never goes on.
/// </summary>
internal sealed class SimProcess : TaskScheduler
{
    private readonly List<Action> _held = [];
    private bool _isStopped;

    public SimProcess(Simulator simulator, SimMachine machine, string name)
    {
        (Simulator, Machine, Name) = (simulator, machine, name);
        Time = new SimTimeProvider(this);
        machine.Processes.Add(this);
    }

    public Simulator Simulator { get; }

    public SimMachine Machine { get; }

    public string Name { get; }

    public TimeProvider Time { get; }

    public bool IsAlive { get; private set; } = true;

    public bool CanRun => IsAlive && !_isStopped && Machine.IsRunning;

    /// <summary>Called when it is killed.</summary>
    public Action Killed { get; set; } = () => { };

    /// <summary>Begins something in this process.</summary>
    public Task Start(Func<Task> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.None, this).Unwrap();

    public Task<T> Start<T>(Func<Task<T>> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.None, this).Unwrap();

    /// <summary>Something reaches the process from outside: now, or when it goes on.</summary>
    public void Post(Action arrival)
    {
        if (CanRun)
        {
            arrival();
        }
        else if (IsAlive)
        {
            _held.Add(arrival);
        }
    }

    // What is shorter than a millisecond is no delay to Task.Delay, and time would never pass.
    public Task Delay(TimeSpan time) => Task.Delay(time + TimeSpan.FromMilliseconds(1), Time);

    public void Kill()
    {
        if (!IsAlive)
        {
            return;
        }

        IsAlive = false;
        _held.Clear();
        Machine.Processes.Remove(this);
        Simulator.Log($"{Name} dies");
        Killed();
    }

    /// <summary>SIGSTOP.</summary>
    public void Stop() => _isStopped = true;

    /// <summary>SIGCONT.</summary>
    public void Continue()
    {
        _isStopped = false;
        Resume();
    }

    /// <summary>Does what became due meanwhile.</summary>
    public void Resume()
    {
        if (!CanRun)
        {
            return;
        }

        List<Action> held = [.. _held];
        _held.Clear();
        held.ForEach(Post);
    }

    public void Run(Task task)
    {
        if (CanRun)
        {
            TryExecuteTask(task);
        }
        else if (IsAlive)
        {
            _held.Add(() => Simulator.Enqueue(this, task));
        }
    }

    protected override IEnumerable<Task> GetScheduledTasks() => [];

    protected override void QueueTask(Task task) => Post(() => Simulator.Enqueue(this, task));

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;
}

/// <summary>The clocks of a process: its machine's, which may run at another speed and be set to another time.</summary>
internal sealed class SimTimeProvider(SimProcess process) : TimeProvider
{
    private static readonly DateTimeOffset _start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => process.Machine.Elapsed.Ticks;

    public override DateTimeOffset GetUtcNow() => _start + process.Machine.WallOffset + process.Machine.Elapsed;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new SimTimer(process, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class SimTimer(SimProcess process, TimerCallback callback, object? state) : ITimer
    {
        private SimEvent? _next;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            _next?.Cancel();
            _next = dueTime < TimeSpan.Zero ? null : process.Simulator.After(dueTime / process.Machine.ClockRate, () => process.Post(() =>
            {
                if (period > TimeSpan.Zero)
                {
                    Change(period, period);
                }

                callback(state);
            }));
            return true;
        }

        public void Dispose() => _next?.Cancel();

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
