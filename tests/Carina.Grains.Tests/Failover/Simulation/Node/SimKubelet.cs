using Carina.Grains.Tests.Failover.Simulation.Cluster;
using Carina.Grains.Tests.Failover.Simulation.Engine;

namespace Carina.Grains.Tests.Failover.Simulation.Node;

/// <summary>
/// A kubelet: says that the node is there, starts pods that the API server has for it, ends those that it has not. It
/// knows nothing while it does not reach the API server, and then leaves everything as it is.
/// </summary>
internal sealed class SimKubelet
{
    private static readonly TimeSpan _heartbeat = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan _sync = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan _csiLimit = TimeSpan.FromMinutes(2);

    private readonly SimCluster _cluster;
    private readonly SimMachine _machine;
    private readonly HashSet<string> _working = [];

    public SimKubelet(SimCluster cluster, SimMachine machine)
    {
        (_cluster, _machine) = (cluster, machine);
        Process = new(cluster.Simulator, machine, $"kubelet of {machine.Name}");
        Process.Start(HeartbeatAsync);
        Process.Start(SyncAsync);
    }

    public SimProcess Process { get; }

    private async Task HeartbeatAsync()
    {
        var registers = true;
        while (true)
        {
            try
            {
                await AskApiAsync(() =>
                {
                    // Only a kubelet that has just started makes its Node.
                    if (!_cluster.Api.Nodes.TryGetValue(_machine.Name, out var node))
                    {
                        if (!registers)
                        {
                            return false;
                        }

                        _cluster.Api.Nodes.Add(_machine.Name, node = new(_machine.Name));
                    }

                    if (!node.IsReady)
                    {
                        _cluster.Simulator.Log($"{_machine.Name} is ready");
                    }

                    (node.IsReady, node.LastHeartbeat) = (true, _cluster.Simulator.Now);
                    return true;
                });
                registers = false;
                await Process.Delay(_heartbeat);
            }
            catch (Exception exception) when (exception is not SimCrashException)
            {
                await Process.Delay(TimeSpan.FromSeconds(1));
            }
        }
    }

    private async Task SyncAsync()
    {
        await Process.Delay(_cluster.Simulator.Between(0, _sync.TotalSeconds));
        while (true)
        {
            try
            {
                var wanted = await AskApiAsync(() => _cluster.Api.Pods.Values.Where(p => p.NodeName == _machine.Name).ToList());
                foreach (var pod in wanted.Where(p => !p.IsDeleting && !_machine.Containers.ContainsKey(p.Uid)))
                {
                    Begin(pod.Uid, () => StartAsync(pod));
                }

                foreach (var pod in wanted.Where(p => p.IsDeleting && !_machine.Containers.ContainsKey(p.Uid)))
                {
                    Begin(pod.Uid, () => FinishAsync(pod));
                }

                var kept = wanted.Where(p => !p.IsDeleting).Select(p => p.Uid).ToHashSet(StringComparer.Ordinal);
                foreach (var container in _machine.Containers.Values.Where(c => !kept.Contains(c.PodUid)).ToList())
                {
                    Begin(container.PodUid, () => EndAsync(container));
                }

                foreach (var pod in wanted.Where(p => !p.HasRun && _machine.Containers.ContainsKey(p.Uid)))
                {
                    Begin("status of " + pod.Uid, () => AskApiAsync(() => pod.HasRun = true));
                }

                // What a start that failed has left behind.
                var needed = wanted.Where(p => !p.IsDeleting).SelectMany(p => p.App.Claims).Select(c => SimCluster.VolumeOf(c)).ToHashSet(StringComparer.Ordinal);
                var used = _machine.Containers.Values.SelectMany(c => c.Volumes).Select(v => v.VolumeId).ToHashSet(StringComparer.Ordinal);
                foreach (var volume in _machine.Staged.Keys.Where(v => !needed.Contains(v) && !used.Contains(v)).ToList())
                {
                    Begin(volume, () => UnstageAsync(volume));
                }
            }
            catch (Exception exception) when (exception is not SimCrashException)
            {
                // It asks again.
            }

            await Process.Delay(_sync);
        }
    }

    private void Begin(string key, Func<Task> work)
    {
        if (_working.Add(key))
        {
            _ = RunAsync();
        }

        async Task RunAsync()
        {
            try
            {
                await work();
            }
            catch (Exception exception) when (exception is not SimCrashException)
            {
                _cluster.Simulator.Note($"{Process.Name}: {exception.Message}");
                await Process.Delay(TimeSpan.FromSeconds(2));
            }
            finally
            {
                _working.Remove(key);
            }
        }
    }

    private async Task StartAsync(SimPod pod)
    {
        var keys = new List<Agents.DiskVolumeKey>();
        foreach (var claim in pod.App.Claims)
        {
            var volume = await AskApiAsync(() =>
                _cluster.Api.PersistentVolumes.GetValueOrDefault(_cluster.Api.Claims[claim].VolumeName)?.VolumeId)
                ?? throw new InvalidOperationException($"Claim {claim} is lost.");
            if (!_machine.Staged.ContainsKey(volume))
            {
                await CallAsync(async guards =>
                {
                    await guards.StageAsync(volume);
                    return true;
                });
            }

            keys.Add(await CallAsync(guards => guards.PublishAsync(volume, pod)));
        }

        _cluster.StartContainer(_machine, pod, keys);
    }

    private async Task EndAsync(SimContainer container)
    {
        await Process.Delay(_cluster.Simulator.Between(0.1, 3));
        _cluster.Simulator.Log($"{_machine.Name} ends pod {container.PodUid}");
        _machine.Containers.Remove(container.PodUid);
        foreach (var volume in container.Volumes.Select(v => v.VolumeId).Where(v => !_machine.Containers.Values.Any(c => c.Volumes.Any(k => k.VolumeId == v))))
        {
            await UnstageAsync(volume);
        }
    }

    private Task<bool> UnstageAsync(string volume) => CallAsync(async guards =>
    {
        await guards.UnstageAsync(volume);
        return true;
    });

    private async Task FinishAsync(SimPod pod) => await AskApiAsync(() => _cluster.Api.DeletePod(pod.Name, pod.Uid, force: true));

    /// <summary>A call of the driver on this node; one that dies amid it is noticed at once.</summary>
    private async Task<T> CallAsync<T>(Func<SimVolumeGuards, Task<T>> work)
    {
        var silo = _cluster.SiloOf(_machine) ?? throw new InvalidOperationException("The driver does not run here.");
        var call = new SimCall<T>(Process, _csiLimit, () => new TimeoutException("The driver does not answer."), CancellationToken.None);
        silo.Process.Killed += () => call.Abandon(new InvalidOperationException("The driver died."));
        _cluster.Network.Call(Process, silo.Process, _ => work(silo.Guards!), call, CancellationToken.None);
        return await call.Task;
    }

    private Task<T> AskApiAsync<T>(Func<T> effect) => _cluster.Network.AskApiAsync(Process, effect, CancellationToken.None);
}
