using System.Diagnostics;
using Carina.Harness.Kubernetes;
using Carina.Kubernetes.Client;
using Carina.Silo.Membership.Kubernetes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using Orleans.Messaging;

namespace Carina.Silo.Tests.Membership.Kubernetes;

/// <summary>Real Orleans silos whose membership is in a real API server.</summary>
[Collection(MembershipApiCollection.Name)]
public sealed class SiloHostTests(MembershipApi api, ITestOutputHelper output)
{
    private static readonly TimeSpan _never = TimeSpan.FromHours(1);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_change_is_seen_through_the_watch_alone()
    {
        await using var cluster = new SiloCluster(api);
        // Neither gossip nor the periodic read can tell them.
        await cluster.StartAsync(3, spec => spec with { Gossip = false, TableRefresh = _never });
        var (first, last) = (cluster.Members[0], cluster.Members[2]);
        await SeeAsync("all to see all", () => cluster.Members.All(m => cluster.Members.All(o => m.StatusOf(o) == SiloStatus.Active)));

        // The one that is gone is told by the table, since it still runs.
        var clock = Stopwatch.StartNew();
        await first.Membership.TryKill(last.Address);
        await SeeAsync("all to see one dead", () => cluster.Members.All(m => m.StatusOf(last) == SiloStatus.Dead));
        output.WriteLine($"seen by all after {clock.Elapsed.TotalMilliseconds:0} ms");
        await SeeAsync("the dead one to know", () => last.Fatal.Seen.Count > 0);
    }

    [Fact]
    public async Task Half_a_minute_without_an_API_server_kills_nobody()
    {
        await using var cluster = new SiloCluster(api);
        await cluster.StartAsync(3);
        await SeeAsync("all to see all", () => cluster.Members.All(m => cluster.Members.All(o => m.StatusOf(o) == SiloStatus.Active)));
        Assert.Equal(3, await cluster.Members[0].CallAllAsync(0));

        await api.Plane.KillApiServerAsync(Stop);
        var calls = 0;
        try
        {
            var outage = Stopwatch.StartNew();
            while (outage.Elapsed < TimeSpan.FromSeconds(30))
            {
                foreach (var member in cluster.Members)
                {
                    // Another grain each time: new activations need no API server either.
                    Assert.Equal(3, await member.CallAllAsync(++calls));
                    Assert.All(cluster.Members, other => Assert.Equal(SiloStatus.Active, member.StatusOf(other)));
                    Assert.Empty(member.Fatal.Seen);
                }

                await Task.Delay(500, Stop);
            }
        }
        finally
        {
            await api.Plane.StartApiServerAsync(Stop);
        }

        output.WriteLine($"{calls} calls to all silos during the outage");
        var back = DateTime.UtcNow;
        using var client = api.Client();
        var documents = api.Documents(client);
        await Eventually.ReadAsync(
            "heartbeats to go on",
            () => documents.ReadAsync(cluster.Id, Stop),
            table => cluster.Members.All(m => table.Heartbeats.GetValueOrDefault(m.Address.ToParsableString()) > back),
            Stop,
            TimeSpan.FromMinutes(3));
        output.WriteLine($"all heartbeats again {(DateTime.UtcNow - back).TotalSeconds:0} s after the start of the API server");

        var fourth = await cluster.StartAsync("node4");
        await SeeAsync("all to see the fourth", () => cluster.Members.All(m => m.StatusOf(fourth) == SiloStatus.Active));
        Assert.Equal(4, await fourth.CallAllAsync(0));
        Assert.All(cluster.Members, m => Assert.Empty(m.Fatal.Seen));
        var rows = (await documents.ReadAsync(cluster.Id, Stop)).Document.Rows.Values;
        Assert.All(rows, row => Assert.Equal((nameof(SiloStatus.Active), 0), (row.Status, row.Suspects.Count)));
    }

    [Fact]
    public async Task A_client_finds_its_gateways_and_follows_them()
    {
        await using var cluster = new SiloCluster(api);
        var one = await cluster.StartAsync("node1", spec => spec with { GatewayPort = SiloCluster.FreePort() });
        await cluster.StartAsync("node2");
        using var client = BuildClient(cluster.Id);
        await client.StartAsync(Stop);
        var grains = client.Services.GetRequiredService<IGrainFactory>();
        Assert.Equal(2, (await grains.GetGrain<IManagementGrain>(0).GetHosts(onlyActive: true)).Count);
        var gateways = client.Services.GetRequiredService<IGatewayListProvider>();
        Assert.Single(await gateways.GetGatewaysAsync(Stop));

        var three = await cluster.StartAsync("node3", spec => spec with { GatewayPort = SiloCluster.FreePort() });
        await Eventually.ReadAsync("the second gateway", () => gateways.GetGatewaysAsync(Stop), list => list.Count == 2, Stop);
        await one.Host.StopAsync(Stop);
        await Eventually.ReadAsync("the first to go", () => gateways.GetGatewaysAsync(Stop), list => list.Count == 1, Stop);
        await Eventually.ReadAsync(
            "calls through the other gateway",
            async () =>
            {
                try
                {
                    return (await grains.GetGrain<IManagementGrain>(0).GetHosts(onlyActive: true)).ContainsKey(three.Address);
                }
                catch (OrleansException)
                {
                    return false;
                }
            },
            found => found,
            Stop);
        await client.StopAsync(Stop);
    }

    [Fact]
    public async Task Gateways_are_the_active_silos_that_have_a_port()
    {
        var id = "test-" + Guid.NewGuid().ToString("N")[..12];
        using var client = api.Client();
        var table = api.Table(client, id);
        await table.InitializeMembershipTableAsync(true, Stop);
        SiloStatus[] statuses = [SiloStatus.Active, SiloStatus.Joining, SiloStatus.Dead, SiloStatus.ShuttingDown, SiloStatus.Active];
        foreach (var (i, status) in statuses.Index())
        {
            foreach (var port in new[] { 0, 30000 })
            {
                var entry = new MembershipEntry
                {
                    SiloAddress = SiloAddress.New(System.Net.IPAddress.Parse($"10.0.0.{i + 1}"), 11111, port + 1),
                    Status = status,
                    SiloName = "x",
                    HostName = "x",
                    ProxyPort = port,
                    SuspectTimes = [],
                    StartTime = DateTime.UtcNow,
                    IAmAliveTime = DateTime.UtcNow,
                };
                Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync(Stop)).Version.Next(), Stop));
            }
        }

        using var host = BuildClient(id);
        var gateways = host.Services.GetRequiredService<IGatewayListProvider>();
        var found = await gateways.GetGatewaysAsync(Stop);
        Assert.Equal(
            ["gwy.tcp://10.0.0.1:30000/30001", "gwy.tcp://10.0.0.5:30000/30001"], found.Select(u => u.ToString()).Order());
    }

    private IHost BuildClient(string id)
    {
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Services.AddKubernetesClient(options =>
            (options.Kubeconfig, options.Namespace) = (api.Plane.Kubeconfig(MembershipApi.SiloUser), MembershipApi.Namespace));
        builder.UseOrleansClient(orleans => orleans.Configure<ClusterOptions>(
            cluster => (cluster.ClusterId, cluster.ServiceId) = (id, "carina")));
        builder.Services.AddKubernetesGateways();
        return builder.Build();
    }

    private static Task<bool> SeeAsync(string what, Func<bool> isRight) =>
        Eventually.ReadAsync(what, () => Task.FromResult(isRight()), right => right, Stop);
}
