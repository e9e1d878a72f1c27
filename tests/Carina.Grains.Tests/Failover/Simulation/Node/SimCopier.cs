using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Tests.Failover.Simulation.Cluster;

namespace Carina.Grains.Tests.Failover.Simulation.Node;

/// <summary>The rules of VolumeCopier and CopyWriter (Silo/Copying): part by part, exactly only what is cut off, only to what nobody uses.</summary>
internal sealed class SimCopier(SimCluster cluster, SimMachine machine, SimAgent agent, Func<SimSilo> self)
{
    private static readonly TimeSpan _answerWithin = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _writeLimit = TimeSpan.FromSeconds(30);

    private readonly Dictionary<CopyOrder, Job> _jobs = [];

    private SimSilo Silo => self();

    public async Task<CopyProgress> CopyAsync(CopyOrder order, CancellationToken stop)
    {
        if (order.Pass > 1 && cluster.Mutation != SimMutation.CopiesWithoutFence
            && !agent.Confirmed.Any(f => f.VolumeId == order.From.VolumeId && f.Generation >= order.From.Generation))
        {
            throw Refusal("it is not cut off");
        }

        if (order.Pass > 1 && (cluster.Mutation == SimMutation.SecondPassSkipped
            || (cluster.Mutation == SimMutation.CopiedIsKept && cluster.Copied.Contains(order.MoveId + order.From.VolumeId))))
        {
            return new() { TotalBytes = SimContent.PartCount, DoneBytes = SimContent.PartCount, SentBytes = 0, IsDone = true };
        }

        if (!_jobs.TryGetValue(order, out var job))
        {
            _jobs.Add(order, job = new());
            job.Running = RunAsync(order, job);
        }

        await Task.WhenAny(job.Running, Silo.Process.Delay(_answerWithin));
        stop.ThrowIfCancellationRequested();
        if (job.Running is { IsCompleted: true, IsCompletedSuccessfully: false })
        {
            // Asked for again, it begins anew.
            _jobs.Remove(order);
            return job.State with { Problem = job.Running.Exception?.GetBaseException().Message ?? "it was cancelled" };
        }

        return job.State with { IsDone = job.Running.IsCompleted };
    }

    /// <summary>One part arrives.</summary>
    public async Task<bool> WriteAsync(DiskVolumeKey key, int part, long number)
    {
        await Silo.Process.Delay(cluster.Simulator.Between(0.005, 0.1));
        if (machine.Disk.GetValueOrDefault(key.VolumeId)?.Key != key
            || machine.IsUsed(key.VolumeId)
            || (machine.FencedFile.TryGetValue(key.VolumeId, out var fenced) && fenced.Generation >= key.Generation))
        {
            throw Refusal("it is not there, used or fenced");
        }

        machine.Contents[key.VolumeId].Parts[part] = number;
        return true;
    }

    private async Task RunAsync(CopyOrder order, Job job)
    {
        for (var part = 0; part < SimContent.PartCount; part++)
        {
            await Silo.Process.Delay(cluster.Simulator.Between(0.05, 0.8));
            if (machine.Disk.GetValueOrDefault(order.From.VolumeId)?.Key != order.From)
            {
                throw Refusal("what is to be copied is not there");
            }

            if (cluster.CopyFailures > 0 && cluster.Simulator.Chance(cluster.CopyFailures))
            {
                throw new StorageException(StorageErrorCode.Internal, "The disk failed.");
            }

            var number = machine.Contents[order.From.VolumeId].Parts[part];
            var to = Silo.FindAgent(order.ToNode) ?? throw new StorageException(StorageErrorCode.Unavailable, $"{order.ToNode} is not there.");
            await Silo.CallAsync(to, _writeLimit, _ => to.Agent!.Copier.WriteAsync(order.To, part, number), CancellationToken.None);
            job.State = job.State with { DoneBytes = part + 1, SentBytes = part + 1 };
        }

        if (order.Pass > 1)
        {
            cluster.Checks.Contents.CopiedExactly(machine, order);
            cluster.Copied.Add(order.MoveId + order.From.VolumeId);
        }

        cluster.Simulator.Log($"{machine.Name} has copied {order.From.VolumeId}#{order.From.Generation} to {order.ToNode} as #{order.To.Generation} (pass {order.Pass})");
    }

    private StorageException Refusal(string why) => new(StorageErrorCode.FailedPrecondition, $"{machine.Name} does not copy: {why}.");

    private sealed class Job
    {
        public Task Running { get; set; } = Task.CompletedTask;

        public CopyProgress State { get; set; } = new() { TotalBytes = SimContent.PartCount, DoneBytes = 0, SentBytes = 0 };
    }
}
