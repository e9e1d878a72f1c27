using Carina.Grains.Errors;
using Carina.Grains.Tests.Failover.Simulation.Engine;

namespace Carina.Grains.Tests.Failover.Simulation.Cluster;

/// <summary>Messages between processes and to the API server: late, lost, or answered to nobody.</summary>
internal sealed class SimNetwork(Simulator simulator)
{
    private static readonly TimeSpan _apiLimit = TimeSpan.FromSeconds(10);

    /// <summary>The API server does not answer anybody.</summary>
    public bool IsApiDown { get; set; }

    /// <summary>Share of requests to the API server that fail, half of them after they took effect.</summary>
    public double ApiFailures { get; set; }

    public bool ReachesApi(SimMachine machine) => machine.IsOn && !machine.CutToApi && !IsApiDown;

    public bool IsReachedByApi(SimMachine machine) => machine.IsOn && !machine.CutFromApi && !IsApiDown;

    public bool HasApi(SimMachine machine) => ReachesApi(machine) && IsReachedByApi(machine);

    public static bool Reaches(SimMachine from, SimMachine to) =>
        from.IsOn && to.IsOn && (from == to || (!from.CutToPeers && !to.CutFromPeers));

    /// <summary>A request to the API server. What it does happens there in one instant, or not at all.</summary>
    /// <exception cref="StorageException">Unavailable: whether it took effect is not known.</exception>
    public Task<T> AskApiAsync<T>(SimProcess from, Func<T> effect, CancellationToken cancellationToken, TimeSpan? limit = null)
    {
        var call = new SimCall<T>(from, limit ?? _apiLimit, () => Silence("did not answer in time"), cancellationToken);
        if (!from.IsAlive || cancellationToken.IsCancellationRequested)
        {
            return call.Task;
        }

        if (ReachesApi(from.Machine))
        {
            simulator.After(Latency(), Arrive);
        }
        else if (simulator.Chance(0.5))
        {
            simulator.After(Latency(), () => call.Fail(Silence("refuses connections")));
        }

        return call.Task;

        void Arrive()
        {
            // On its way it may have been lost; the process need not live any more.
            if (IsApiDown)
            {
                return;
            }

            var isLost = simulator.Chance(ApiFailures);
            if (isLost && simulator.Chance(0.5))
            {
                Answer(() => call.Fail(Silence("is overloaded")));
                return;
            }

            try
            {
                var result = effect();
                Answer(() =>
                {
                    if (isLost)
                    {
                        call.Fail(Silence("is overloaded"));
                    }
                    else
                    {
                        call.Complete(result);
                    }
                });
            }
            catch (Exception exception) when (exception is not SimCrashException)
            {
                Answer(() => call.Fail(exception));
            }
        }

        void Answer(Action answer) => simulator.After(Latency(), () =>
        {
            if (IsReachedByApi(from.Machine))
            {
                answer();
            }
        });
    }

    /// <summary>A call of another process. Its cancellation travels behind it; the caller does not wait for that.</summary>
    /// <param name="from">The caller.</param>
    /// <param name="to">The process that is called.</param>
    /// <param name="work">What it does there.</param>
    /// <param name="call">Where the answer goes.</param>
    /// <param name="cancellationToken">Of the caller.</param>
    public void Call<T>(SimProcess from, SimProcess to, Func<CancellationToken, Task<T>> work, SimCall<T> call, CancellationToken cancellationToken)
    {
        var stop = new CancellationTokenSource();
        Send(from, to, Arrive);
        call.Ended = isAnswered =>
        {
            if (!isAnswered)
            {
                Send(from, to, stop.Cancel);
            }
        };

        void Arrive() => _ = to.Start(async () =>
        {
            try
            {
                var result = await work(stop.Token);
                Send(to, from, () => call.Complete(result));
            }
            catch (Exception exception) when (exception is not SimCrashException)
            {
                Send(to, from, () => call.Fail(exception));
            }
        });
    }

    private void Send(SimProcess from, SimProcess to, Action arrival)
    {
        if (!from.IsAlive || !Reaches(from.Machine, to.Machine))
        {
            return;
        }

        var delay = from == to ? TimeSpan.Zero : Latency();
        simulator.After(delay, () =>
        {
            if (Reaches(from.Machine, to.Machine))
            {
                to.Post(arrival);
            }
        });
    }

    private TimeSpan Latency() => simulator.Chance(0.02) ? simulator.Between(0.05, 1.5) : simulator.Between(0.0005, 0.01);

    private static StorageException Silence(string what) => new(StorageErrorCode.Unavailable, $"The API server {what}.");
}

/// <summary>A call that waits for its answer, for so long by its process' clock.</summary>
internal sealed class SimCall<T>
{
    private readonly TaskCompletionSource<T> _answer = new();
    private readonly SimProcess _process;
    private readonly ITimer _timer;
    private readonly CancellationTokenRegistration _registration;

    public SimCall(SimProcess process, TimeSpan limit, Func<Exception> late, CancellationToken cancellationToken)
    {
        _process = process;
        _timer = process.Time.CreateTimer(_ => End(false, () => _answer.TrySetException(late())), null, limit, Timeout.InfiniteTimeSpan);
        _registration = cancellationToken.UnsafeRegister((_, token) => End(false, () => _answer.TrySetCanceled(token)), null);
    }

    public Task<T> Task => _answer.Task;

    /// <summary>Called at its end; says whether it was answered.</summary>
    public Action<bool>? Ended { get; set; }

    public void Complete(T result) => _process.Post(() => End(true, () => _answer.TrySetResult(result)));

    public void Fail(Exception exception) => _process.Post(() => End(true, () => _answer.TrySetException(exception)));

    /// <summary>No answer can come any more.</summary>
    public void Abandon(Exception exception) => _process.Post(() => End(false, () => _answer.TrySetException(exception)));

    private void End(bool isAnswered, Func<bool> complete)
    {
        if (complete())
        {
            _timer.Dispose();
            _registration.Unregister();
            Ended?.Invoke(isAnswered);
        }
    }
}

/// <summary>Ends what runs in a process that has just been killed.</summary>
internal sealed class SimCrashException() : Exception("The process is dead.");
