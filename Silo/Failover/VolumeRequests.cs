using System.Collections.Concurrent;
using System.Text.Json;
using Carina.Grains.Failover;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Resources;
using Carina.Silo.Storage.Kubernetes;
using k8s;
using k8s.Models;

namespace Carina.Silo.Failover;

/// <summary>What operators ask for by annotations of LogicVolumes; an annotation goes away when it is answered.</summary>
internal sealed class VolumeRequests(IKubernetes client) : ILogicVolumeObserver
{
    private static readonly (string Key, VolumeRequestKind Kind)[] _kinds =
    [
        (FailoverNames.CancelMove, VolumeRequestKind.Cancel),
        (FailoverNames.MoveTo, VolumeRequestKind.Move),
        (FailoverNames.RestoreCopy, VolumeRequestKind.Restore),
        (FailoverNames.DiscardCopy, VolumeRequestKind.Discard),
    ];

    private readonly ConcurrentDictionary<string, IReadOnlyList<VolumeRequest>> _open = new(StringComparer.Ordinal);

    /// <summary>Those that were not answered yet.</summary>
    public IReadOnlyList<VolumeRequest> Open => _open.IsEmpty ? [] : [.. _open.Values.SelectMany(requests => requests)];

    public void Saw(LogicVolume item)
    {
        var found = item.Metadata.Annotations is { Count: > 0 } annotations ? Read(item, annotations) : [];
        if (found.Count > 0)
        {
            _open[item.Metadata.Name] = found;
        }
        else
        {
            _open.TryRemove(item.Metadata.Name, out _);
        }
    }

    public void Lost(LogicVolume item) => _open.TryRemove(item.Metadata.Name, out _);

    /// <summary>Takes the annotation away, unless it says something else by now.</summary>
    public Task AnswerAsync(VolumeRequest request, CancellationToken cancellationToken) => ApiExceptions.GuardAsync(
        $"{request.Key} could not be taken off volume '{request.VolumeId}'",
        async () =>
        {
            var name = LogicVolumeNames.ObjectOf(request.VolumeId) ?? "";
            var path = "/metadata/annotations/" + request.Key.Replace("/", "~1", StringComparison.Ordinal);
            var patch = JsonSerializer.Serialize(new object[]
            {
                new { op = "test", path, value = request.Value },
                new { op = "remove", path },
            });
            try
            {
                await client.CustomObjects.PatchClusterCustomObjectAsync(
                    new V1Patch(patch, V1Patch.PatchType.JsonPatch), CarinaApi.Group, CarinaApi.LogicVolumeVersion, CarinaApi.LogicVolumePlural,
                    name, cancellationToken: cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception.IsNotFound() || exception.IsInvalid())
            {
                // Gone, or it says something else: that is seen by itself.
            }

            if (_open.TryGetValue(name, out var open))
            {
                _open.TryUpdate(name, [.. open.Where(other => other != request)], open);
            }

            return true;
        },
        cancellationToken);

    private static IReadOnlyList<VolumeRequest> Read(LogicVolume item, IDictionary<string, string> annotations) =>
    [
        .. _kinds
            .Where(kind => annotations.TryGetValue(kind.Key, out var value) && value.Length > 0)
            .Select(kind => new VolumeRequest(LogicVolumeNames.HandleOf(item), kind.Kind, kind.Key, annotations[kind.Key].Trim())),
    ];
}
