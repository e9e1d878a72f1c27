using Carina.Silo.Mounting;

namespace Carina.Silo.Tests.Mounting;

public sealed class KeyedLockTests
{
    private readonly KeyedLock _lock = new();

    [Fact]
    public async Task One_holder_per_key_at_a_time_and_keys_do_not_wait_for_each_other()
    {
        var inside = 0;
        var most = 0;
        using (await _lock.AcquireAsync("other", default))
        {
            await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => Task.Run(async () =>
            {
                using (await _lock.AcquireAsync("key", default))
                {
                    most = Math.Max(most, ++inside);
                    await Task.Yield();
                    inside--;
                }
            })));
        }

        Assert.Equal((0, 1), (inside, most));
    }

    [Fact]
    public async Task Who_gives_up_waiting_does_not_keep_others_out()
    {
        using var cancellation = new CancellationTokenSource();
        var holder = await _lock.AcquireAsync("key", default);
        var waiting = _lock.AcquireAsync("key", cancellation.Token);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        holder.Dispose();
        holder.Dispose();
        using (await _lock.AcquireAsync("key", default).WaitAsync(TimeSpan.FromSeconds(5)))
        {
            Assert.False(_lock.AcquireAsync("key", default).IsCompleted);
        }
    }
}
