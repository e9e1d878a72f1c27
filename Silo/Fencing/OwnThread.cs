namespace Carina.Silo.Fencing;

/// <summary>
/// Calls that the kernel may not return from for long run on threads of their own: a pool without free threads must not
/// delay a fence, and one that hangs must not take a thread from others.
/// </summary>
internal static class OwnThread
{
    public static Task RunAsync(Action action) =>
        Observed(Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));

    public static Task<T> RunAsync<T>(Func<T> function)
    {
        var task = Task.Factory.StartNew(function, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        Observed(task);
        return task;
    }

    // Nobody may be left to hear of its failure.
    private static Task Observed(Task task)
    {
        _ = task.ContinueWith(
            static ended => ended.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        return task;
    }
}
