using Carina.Grains.Errors;
using Carina.Grains.Failover;

namespace Carina.Grains.Tests.Failover.Simulation.Cluster;

// The rules of VolumeRequests and KubernetesFailoverWorld.Evictions (Silo/Failover).
internal sealed partial class SimFailoverWorld
{
    private IReadOnlyList<VolumeRequest> _requests = [];

    /// <summary>As a watch has it: what was seen last while the API server cannot be reached.</summary>
    public IReadOnlyList<VolumeRequest> Requests => _requests = cluster.Network.HasApi(silo.Process.Machine)
        ? [.. Api.Requests.Values.Select(Garble)]
        : _requests;

    public Task AnswerAsync(VolumeRequest request, CancellationToken cancellationToken) => AskAsync(
        () =>
        {
            var key = SimApi.RequestKey(request.VolumeId, request.Kind);
            if (Api.Requests.TryGetValue(key, out var open) && Garble(open) == request)
            {
                cluster.Simulator.Log($"{request.Kind} {request.Value} of {request.VolumeId} is answered");
                Api.Requests.Remove(key);
            }

            return true;
        },
        cancellationToken);

    public Task<string> FindEvictionObstacleAsync(IReadOnlyList<VolumePod> pods, CancellationToken cancellationToken) =>
        AskAsync(() => pods.Select(FindObstacle).FirstOrDefault(o => o.Length > 0) ?? "", cancellationToken);

    public async Task EvictAsync(IReadOnlyList<VolumePod> pods, CancellationToken cancellationToken)
    {
        foreach (var pod in pods)
        {
            var obstacle = await AskAsync(
                () =>
                {
                    if (FindObstacle(pod) is { Length: > 0 } found)
                    {
                        return found;
                    }

                    if (Api.Pods.TryGetValue(pod.Name, out var there) && there.Uid == pod.Uid)
                    {
                        cluster.Checks.Contents.Evicted(there);
                    }

                    Api.DeletePod(pod.Name, pod.Uid, force: false);
                    return "";
                },
                cancellationToken);
            if (obstacle.Length > 0)
            {
                throw new StorageException(StorageErrorCode.Unavailable, obstacle);
            }
        }
    }

    private string FindObstacle(VolumePod pod) =>
        Api.Protected.Contains(pod.Name) && Api.Pods.TryGetValue(pod.Name, out var there) && there.Uid == pod.Uid
            ? $"pod {pod.Name} may not be evicted now"
            : "";

    private VolumeRequest Garble(VolumeRequest request) =>
        cluster.Mutation == SimMutation.RestoresAnother && request.Kind == VolumeRequestKind.Restore
        && Api.Volumes.Records[request.VolumeId].Value.Retired.FirstOrDefault(c => $"{c.NodeName}/{c.Generation}" != request.Value) is { } other
            ? request with { Value = $"{other.NodeName}/{other.Generation}" }
            : request;
}
