using System.Collections.Concurrent;
using System.Net;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Carina.Harness.Kubernetes;

/// <summary>
/// Makes Node objects without machines, with what kubelet keeps up beside them: conditions, CSINodes, leases. At the
/// end they are deleted.
/// </summary>
public sealed class FakeNodes : IAsyncDisposable
{
    private const string LeaseNamespace = "kube-node-lease";
    private const string NotReadyTaint = "node.kubernetes.io/not-ready";
    private const int LeaseSeconds = 40;
    private static readonly TimeSpan _renewInterval = TimeSpan.FromSeconds(2);
    private readonly IKubernetes _client;
    private readonly ConcurrentDictionary<string, FakeNode> _nodes = new();
    private readonly ConcurrentDictionary<string, FakeNode> _renewing = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _renewal;

    /// <param name="client">Who may write nodes, CSINodes and leases.</param>
    public FakeNodes(IKubernetes client)
    {
        _client = client;
        _renewal = RenewAsync(_stop.Token);
    }

    public IReadOnlyCollection<string> Names => [.. _nodes.Keys];

    /// <summary>Makes a node that is Ready, with its CSINode and its lease.</summary>
    public async Task AddAsync(FakeNode node, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(node);
        await _client.CoreV1.CreateNodeAsync(Describe(node), cancellationToken: cancellationToken);
        _nodes[node.Name] = node;
        await ClearTaintAsync(node.Name, cancellationToken);
        await _client.StorageV1.CreateCSINodeAsync(
            new() { Metadata = new() { Name = node.Name }, Spec = new() { Drivers = [.. node.Drivers] } },
            cancellationToken: cancellationToken);
        if (node.RenewsLease)
        {
            await _client.CoordinationV1.CreateNamespacedLeaseAsync(
                Lease(node.Name), LeaseNamespace, cancellationToken: cancellationToken);
            ResumeLease(node.Name);
        }
    }

    /// <summary>What a node whose kubelet is dead, or cut off, does: nothing.</summary>
    public void PauseLease(string name) => _renewing.TryRemove(name, out _);

    public void ResumeLease(string name) => _renewing[name] = _nodes[name];

    /// <summary>Sets the condition Ready.</summary>
    public Task SetReadyAsync(string name, bool ready, CancellationToken cancellationToken) =>
        _client.CoreV1.PatchNodeStatusAsync(
            new(
                new V1Node { Status = new() { Conditions = [Ready(ready)] } },
                V1Patch.PatchType.StrategicMergePatch),
            name,
            cancellationToken: cancellationToken);

    /// <summary>Replaces the drivers in the node's CSINode.</summary>
    public Task SetDriversAsync(
        string name, IReadOnlyList<V1CSINodeDriver> drivers, CancellationToken cancellationToken) =>
        _client.StorageV1.PatchCSINodeAsync(
            new(new V1CSINode { Spec = new() { Drivers = [.. drivers] } }, V1Patch.PatchType.MergePatch),
            name,
            cancellationToken: cancellationToken);

    /// <summary>Deletes a node and what belongs to it.</summary>
    public async Task RemoveAsync(string name, CancellationToken cancellationToken)
    {
        PauseLease(name);
        _nodes.TryRemove(name, out _);
        await IgnoreMissingAsync(() => _client.CoordinationV1.DeleteNamespacedLeaseAsync(
            name, LeaseNamespace, cancellationToken: cancellationToken));
        await IgnoreMissingAsync(() => _client.StorageV1.DeleteCSINodeAsync(name, cancellationToken: cancellationToken));
        await IgnoreMissingAsync(() => _client.CoreV1.DeleteNodeAsync(name, cancellationToken: cancellationToken));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _renewal;
        foreach (var name in Names)
        {
            await RemoveAsync(name, CancellationToken.None);
        }

        _stop.Dispose();
    }

    private static V1Node Describe(FakeNode node)
    {
        var labels = new Dictionary<string, string>(node.Labels)
        {
            ["kubernetes.io/hostname"] = node.Name,
            ["kubernetes.io/os"] = "linux",
            ["kubernetes.io/arch"] = "amd64",
        };
        var capacity = node.Capacity.ToDictionary(c => c.Key, c => new ResourceQuantity(c.Value));
        return new()
        {
            Metadata = new() { Name = node.Name, Labels = labels },
            Status = new()
            {
                Capacity = capacity,
                Allocatable = capacity,
                Conditions = [Ready(true)],
                Addresses = [new() { Type = "Hostname", Address = node.Name }],
            },
        };
    }

    private static V1NodeCondition Ready(bool ready) => new()
    {
        Type = "Ready",
        Status = ready ? "True" : "False",
        Reason = ready ? "KubeletReady" : "KubeletNotReady",
        Message = "said by a test",
        LastHeartbeatTime = DateTime.UtcNow,
        LastTransitionTime = DateTime.UtcNow,
    };

    private static V1Lease Lease(string name) => new()
    {
        Metadata = new() { Name = name },
        Spec = new() { HolderIdentity = name, LeaseDurationSeconds = LeaseSeconds, RenewTime = DateTime.UtcNow },
    };

    // Every new node gets it; the controller manager would take it away, if there is one.
    private async Task ClearTaintAsync(string name, CancellationToken cancellationToken)
    {
        var node = await _client.CoreV1.ReadNodeAsync(name, cancellationToken: cancellationToken);
        if (node.Spec.Taints?.Any(t => t.Key == NotReadyTaint) == true)
        {
            var others = node.Spec.Taints.Where(t => t.Key != NotReadyTaint).ToList();
            await _client.CoreV1.PatchNodeAsync(
                new(new V1Node { Spec = new() { Taints = others } }, V1Patch.PatchType.MergePatch),
                name,
                cancellationToken: cancellationToken);
        }
    }

    private async Task RenewAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            foreach (var name in _renewing.Keys)
            {
                await RenewAsync(name, cancellationToken);
            }

            await Task.Delay(_renewInterval, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task RenewAsync(string name, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_renewInterval);
        try
        {
            await _client.CoordinationV1.PatchNamespacedLeaseAsync(
                new(Lease(name), V1Patch.PatchType.MergePatch), name, LeaseNamespace, cancellationToken: limit.Token);
        }
        catch (Exception exception) when (
            exception is HttpRequestException or HttpOperationException or IOException or OperationCanceledException)
        {
            // The API server is away, or the lease is: a kubelet tries again, too.
        }
    }

    private static async Task IgnoreMissingAsync(Func<Task> delete)
    {
        try
        {
            await delete();
        }
        catch (HttpOperationException exception) when (exception.Response.StatusCode == HttpStatusCode.NotFound)
        {
        }
    }
}
