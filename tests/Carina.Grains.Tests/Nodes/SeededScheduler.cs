namespace Carina.Grains.Tests.Nodes;

/// <summary>
/// Runs tasks one at a time in an order that a seed decides: every await is a point where another task may go first, so
/// one seed is one interleaving, and a failing one can be run again.
/// </summary>
internal sealed class SeededScheduler(int seed) : TaskScheduler
{
    private readonly Random _random = new(seed);
    private readonly List<Task> _ready = [];

    /// <summary>Runs the work and all it starts until nothing is left to run.</summary>
    public void Run(Func<Task> work)
    {
        var main = Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.None, this).Unwrap();
        for (var steps = 0; _ready.Count > 0; steps++)
        {
            Assert.True(steps < 1_000_000, "The interleaving does not end.");
            var index = _random.Next(_ready.Count);
            var task = _ready[index];
            _ready.RemoveAt(index);
            TryExecuteTask(task);
        }

        Assert.True(main.IsCompleted, "The work waits for something that never comes.");
        main.GetAwaiter().GetResult();
    }

    protected override IEnumerable<Task> GetScheduledTasks() => _ready;

    protected override void QueueTask(Task task) => _ready.Add(task);

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;
}
