using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Orleans.Runtime.Services;

namespace Carina.Silo.Agents;

/// <summary>Carries commands to the node's agent: the grain service in the silo that bears the node's name.</summary>
internal sealed class NodeExecutor(IServiceProvider services, NodeDirectory directory)
    : GrainServiceClient<INodeAgent>(services), INodeExecutor
{
    public Task<DiskVolume> CreateAsync(
        string node, DiskVolumeKey key, long bytes, CancellationToken cancellationToken) =>
        CallAsync(node, key, agent => agent.CreateAsync(key, bytes, cancellationToken), cancellationToken);

    public Task<DiskVolume> ExpandAsync(
        string node, DiskVolumeKey key, long bytes, CancellationToken cancellationToken) =>
        CallAsync(node, key, agent => agent.ExpandAsync(key, bytes, cancellationToken), cancellationToken);

    public Task DeleteAsync(string node, DiskVolumeKey key, CancellationToken cancellationToken) =>
        CallAsync(node, key, agent => agent.DeleteAsync(key, cancellationToken), cancellationToken);

    public Task<DiskVolume> AdoptAsync(string node, DiskVolumeKey key, CancellationToken cancellationToken) =>
        CallAsync(node, key, agent => agent.AdoptAsync(key, cancellationToken), cancellationToken);

    public Task<DiskVolume> RenameAsync(
        string node, DiskVolumeKey from, DiskVolumeKey to, CancellationToken cancellationToken) =>
        CallAsync(node, from, agent => agent.RenameAsync(from, to, cancellationToken), cancellationToken);

    public Task<CopyProgress> CopyAsync(string node, CopyOrder order, CancellationToken cancellationToken) =>
        CallAsync(node, order.From, agent => agent.CopyAsync(order, cancellationToken), cancellationToken);

    public Task TuneAsync(
        string node, DiskVolumeKey key, Dictionary<string, string> mutableParameters, CancellationToken cancellationToken) =>
        CallAsync(node, key, agent => agent.TuneAsync(key, mutableParameters, cancellationToken), cancellationToken);

    public Task FenceAsync(string node, DiskVolumeKey key, string reason, CancellationToken cancellationToken) =>
        CallAsync(node, key, agent => agent.FenceAsync(key, reason, cancellationToken), cancellationToken);

    public Task LiftFenceAsync(string node, DiskVolumeKey key, CancellationToken cancellationToken) =>
        CallAsync(node, key, agent => agent.LiftFenceAsync(key, cancellationToken), cancellationToken);

    private async Task CallAsync(
        string node, DiskVolumeKey key, Func<INodeAgent, Task> call, CancellationToken cancellationToken) =>
        await CallAsync(
            node,
            key,
            async agent =>
            {
                await call(agent);
                return true;
            },
            cancellationToken);

    private async Task<T> CallAsync<T>(
        string node, DiskVolumeKey key, Func<INodeAgent, Task<T>> call, CancellationToken cancellationToken)
    {
        // Asked of membership first: a call into the half-open connection of a dead silo would hang to its timeout.
        var address = directory.FindAgent(node) ?? throw Unreachable(node, key, null);
        try
        {
            return await call(GetGrainService(address));
        }
        catch (Exception exception) when (
            exception is SiloUnavailableException or TimeoutException or OrleansMessageRejectionException
            && !cancellationToken.IsCancellationRequested)
        {
            throw Unreachable(node, key, exception);
        }
    }

    private static StorageException Unreachable(string node, DiskVolumeKey key, Exception? cause) => new(
        StorageErrorCode.Unavailable,
        $"Volume '{key.VolumeId}': the agent of node '{node}' does not answer; what it was asked may or may not have been done. Try again.",
        cause);
}
