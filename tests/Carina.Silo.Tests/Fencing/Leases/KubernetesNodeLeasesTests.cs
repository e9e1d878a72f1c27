using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Harness.Kubernetes;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Leases;
using Carina.Silo.Fencing.Leases;
using Carina.Silo.Tests.Membership.Kubernetes;
using k8s;
using k8s.Models;
using Orleans.Configuration;

namespace Carina.Silo.Tests.Fencing.Leases;

/// <summary>Leases in a real API server.</summary>
[Collection(MembershipApiCollection.Name)]
public sealed class KubernetesNodeLeasesTests(MembershipApi api) : IDisposable
{
    private readonly string _node = "node-" + Guid.NewGuid().ToString("N")[..8];
    private readonly IKubernetes _client = api.Client();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task The_lease_is_made_renewed_and_says_what_it_has_to()
    {
        var leases = Leases(_client);
        await leases.RenewAsync(Renewal(1), Stop);
        var made = await ReadAsync();
        Assert.Equal("test-cluster", made.Metadata.Labels[NodeLease.Label]);
        Assert.Equal(_node, NodeLease.NodeOf(made));
        Assert.Equal("false", made.Metadata.Annotations[NodeLease.Guarded]);
        Assert.Empty(NodeLease.FencedIn(made));
        Assert.Equal("silo", made.Metadata.Annotations[NodeLease.Guard]);
        Assert.False(NodeLease.HasGuardProcess(made));
        Assert.Equal("127.0.0.1:11111@1", made.Spec.HolderIdentity);

        await leases.RenewAsync(
            Renewal(2) with
            {
                Guarded = true,
                Guard = LeaseGuard.ProcessAndWatchdog,
                Duration = TimeSpan.FromSeconds(15),
                Fenced = ["volume-1", "volume-2"],
            },
            Stop);
        var renewed = await ReadAsync();
        Assert.Equal("true", renewed.Metadata.Annotations[NodeLease.Guarded]);
        Assert.Equal("process,watchdog", renewed.Metadata.Annotations[NodeLease.Guard]);
        Assert.True(NodeLease.HasGuardProcess(renewed));
        Assert.Equal(["volume-1", "volume-2"], NodeLease.FencedIn(renewed));
        Assert.Equal(15, renewed.Spec.LeaseDurationSeconds);
        Assert.NotEqual(made.Metadata.ResourceVersion, renewed.Metadata.ResourceVersion);
        Assert.All(renewed.Metadata.ManagedFields, fields => Assert.Equal(NodeLease.FieldManager, fields.Manager));
        Assert.Equal(Renewal(2).RenewedAt, await leases.FindLastAsync(_node, Stop));
    }

    [Fact]
    public async Task Nothing_that_arrives_late_takes_effect()
    {
        var leases = Leases(_client);
        await leases.RenewAsync(Renewal(1) with { Guarded = true }, Stop);
        var late = Renewal(2) with { Guarded = true };
        await leases.RenewAsync(Renewal(3), Stop);
        var before = (await ReadAsync()).Metadata.ResourceVersion;

        var refused = await Assert.ThrowsAsync<StorageException>(() => Leases(_client).RenewForAsync(late, Stop));
        Assert.Equal(StorageErrorCode.Aborted, refused.Code);
        Assert.Equal(before, (await ReadAsync()).Metadata.ResourceVersion);

        // The same once more is success, whoever sends it.
        Assert.Equal(LeaseRenewalOutcome.Renewed, await Leases(_client).RenewForAsync(Renewal(3), Stop));
        Assert.Equal(LeaseRenewalOutcome.Renewed, await Leases(_client).RenewForAsync(Renewal(4), Stop));

        // Renewed by another meanwhile, or deleted by somebody: the next one is heard all the same.
        await leases.RenewAsync(Renewal(5), Stop);
        await _client.CoordinationV1.DeleteNamespacedLeaseAsync(NodeLease.NameOf(_node), MembershipApi.Namespace, cancellationToken: Stop);
        await leases.RenewAsync(Renewal(6), Stop);
        Assert.Equal(Renewal(6).RenewedAt, await leases.FindLastAsync(_node, Stop));
    }

    [Fact]
    public async Task A_request_in_flight_loses_against_one_that_was_sent_later()
    {
        var leases = Leases(_client);
        await leases.RenewAsync(Renewal(1), Stop);
        var reached = new TaskCompletionSource();
        var go = new TaskCompletionSource();
        using var slow = api.Client(faults: new Faults
        {
            Rule = async (request, pass, stop) =>
            {
                if (request.Method == HttpMethod.Patch)
                {
                    reached.TrySetResult();
                    await go.Task;
                }

                return await pass(request, stop);
            },
        });
        var stale = Leases(slow).RenewForAsync(Renewal(2) with { Guarded = true }, Stop);
        await reached.Task.WaitAsync(Stop);
        await leases.RenewAsync(Renewal(3), Stop);
        go.SetResult();
        await Assert.ThrowsAsync<StorageException>(() => stale);
        Assert.Equal("false", (await ReadAsync()).Metadata.Annotations[NodeLease.Guarded]);
    }

    [Fact]
    public async Task A_silent_api_server_is_told_from_one_that_refuses()
    {
        using var deaf = api.Client(faults: new Faults
        {
            Rule = async (_, _, stop) =>
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, stop);
                throw new InvalidOperationException();
            },
        });
        Assert.Equal(LeaseRenewalOutcome.ApiUnreachable, await Leases(deaf).RenewForAsync(Renewal(1), Stop));
        var silent = await Assert.ThrowsAsync<StorageException>(() => Leases(deaf).RenewAsync(Renewal(1), Stop));
        Assert.Equal(StorageErrorCode.Unavailable, silent.Code);

        using var stranger = api.Client(MembershipApi.StrangerUser);
        var refused = await Assert.ThrowsAsync<StorageException>(() => Leases(stranger).RenewForAsync(Renewal(1), Stop));
        Assert.Equal(StorageErrorCode.Internal, refused.Code);
    }

    [Fact]
    public async Task A_keeper_flips_pace_and_word_with_what_is_guarded()
    {
        await using var world = new LeaseWorld(isGuarded: false);
        await world.StartAsync();
        using var keeper = new NodeLeaseKeeper(
            world.Guarded, world.Fenced, world, Leases(_client), world, world, world, new BootClock(),
            Microsoft.Extensions.Options.Options.Create(new SiloOptions { NodeName = _node }),
            Microsoft.Extensions.Options.Options.Create(new NodeLeaseOptions
            {
                RenewInterval = TimeSpan.FromMilliseconds(300),
                IdleInterval = TimeSpan.FromMinutes(5),
            }),
            TimeProvider.System,
            Microsoft.Extensions.Logging.Abstractions.NullLogger<NodeLeaseKeeper>.Instance,
            world.Witness,
            world.Sight);
        await keeper.StartAsync(Stop);
        var idle = await Eventually.ReadAsync("the lease", () => FindAsync(), lease => lease is not null, Stop);
        Assert.Equal("false", idle!.Metadata.Annotations[NodeLease.Guarded]);
        Assert.Equal(60, idle.Spec.LeaseDurationSeconds);

        await world.Guarded.AddAsync(LeaseWorld.Key, Stop);
        await keeper.RenewNowAsync(Stop);
        var first = await ReadAsync();
        Assert.Equal("true", first.Metadata.Annotations[NodeLease.Guarded]);
        Assert.Equal(15, first.Spec.LeaseDurationSeconds);
        await Eventually.ReadAsync(
            "renewals", ReadAsync, lease => lease.Spec.RenewTime - first.Spec.RenewTime > TimeSpan.FromSeconds(1), Stop);

        await keeper.StopAsync(Stop);
        Assert.Equal("false", (await ReadAsync()).Metadata.Annotations[NodeLease.Guarded]);
        await world.Guarded.RemoveAsync(LeaseWorld.Key.VolumeId, Stop);
    }

    private static KubernetesNodeLeases Leases(IKubernetes client) => new(
        client,
        Microsoft.Extensions.Options.Options.Create(new KubernetesOptions { Namespace = MembershipApi.Namespace }),
        Microsoft.Extensions.Options.Options.Create(new ClusterOptions { ClusterId = "test-cluster" }),
        Microsoft.Extensions.Options.Options.Create(new NodeLeaseOptions()),
        new BootClock(),
        TimeProvider.System);

    private NodeLeaseRenewal Renewal(int second) => new()
    {
        NodeName = _node,
        Holder = "127.0.0.1:11111@1",
        RenewedAt = new DateTimeOffset(2026, 1, 1, 12, 0, second, TimeSpan.Zero).AddTicks(1234560),
        Duration = TimeSpan.FromSeconds(60),
        Guarded = false,
    };

    private Task<V1Lease> ReadAsync() => _client.CoordinationV1.ReadNamespacedLeaseAsync(
        NodeLease.NameOf(_node), MembershipApi.Namespace, cancellationToken: Stop);

    private async Task<V1Lease?> FindAsync()
    {
        try
        {
            return await ReadAsync();
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            return null;
        }
    }
}
