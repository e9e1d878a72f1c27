using System.Net;
using System.Text.RegularExpressions;
using Carina.Harness;
using Carina.Silo.Membership.Kubernetes;
using k8s;
using k8s.Models;

namespace Carina.Silo.Tests.Membership.Kubernetes;

/// <summary>What people and other programs see of the membership in the API server, and may do to it.</summary>
[Collection(MembershipApiCollection.Name)]
public sealed class MembershipObjectTests(MembershipApi api) : IDisposable
{
    private static readonly DateTime _noon = new DateTime(2026, 1, 1, 12, 0, 0, DateTimeKind.Utc).AddTicks(1234567);
    private readonly string _cluster = "test-" + Guid.NewGuid().ToString("N")[..12];
    private readonly IKubernetes _client = api.Client();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task Kubectl_shows_version_silos_and_age()
    {
        var table = await StartAsync();
        await InsertAsync(table, Entry(1, SiloStatus.Active));
        await InsertAsync(table, Entry(2, SiloStatus.Active));
        await InsertAsync(table, Entry(3, SiloStatus.Dead));
        var shown = await KubectlAsync("get", "om", _cluster);
        Assert.Matches(new Regex($@"NAME\s+VERSION\s+SILOS\s+AGE\n{_cluster}\s+3\s+2\s+\d+s"), shown);
    }

    [Fact]
    public async Task What_others_put_on_the_object_survives_our_writes()
    {
        var table = await StartAsync();
        await KubectlAsync("label", "om", _cluster, "team=storage");
        await KubectlAsync("annotate", "om", _cluster, "note=kept");
        await InsertAsync(table, Entry(1, SiloStatus.Active));
        await KubectlAsync("patch", "om", _cluster, "--type=merge", "-p", """{"spec":{"rows":{"127.0.0.1:11111@1":{"ofTheNextVersion":{"a":[1]}}}}}""");
        var data = await table.ReadAllAsync(Stop);
        var (entry, etag) = data.Members.Single();
        entry.Status = SiloStatus.Dead;
        Assert.True(await table.UpdateRowAsync(entry, etag, data.Version.Next(), Stop));

        var json = await KubectlAsync("get", "om", _cluster, "-o", "json");
        Assert.Contains("\"team\": \"storage\"", json, StringComparison.Ordinal);
        Assert.Contains("\"note\": \"kept\"", json, StringComparison.Ordinal);
        Assert.Contains("ofTheNextVersion", json, StringComparison.Ordinal);
        Assert.Contains("\"status\": \"Dead\"", json, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"spec":{"version":-1}}""", "spec.version")]
    [InlineData("""{"spec":{"version":"many"}}""", "spec.version")]
    [InlineData("""{"spec":{"rows":{"127.0.0.1:11111@1":{"status":"Happy"}}}}""", "status")]
    [InlineData("""{"spec":{"rows":{"127.0.0.1:11111@1":{"proxyPort":70000}}}}""", "proxyPort")]
    [InlineData("""{"spec":{"rows":{"127.0.0.1:11111@1":{"startTime":"yesterday"}}}}""", "startTime")]
    [InlineData("""{"spec":{"rows":{"127.0.0.1:11111@1":{"siloName":null}}}}""", "siloName")]
    [InlineData("""{"spec":{"rows":{"127.0.0.1:11111@1":{"pod":{"name":"a"}}}}}""", "uid")]
    [InlineData("""{"spec":{"rows":{"127.0.0.1:11111@1":{"suspects":[{"silo":"127.0.0.1:1@1"}]}}}}""", "time")]
    [InlineData("""{"spec":{"rows":null}}""", "rows")]
    [InlineData("""{"spec":null}""", "spec")]
    public async Task Nonsense_is_refused_with_the_name_of_the_field(string patch, string field)
    {
        var table = await StartAsync();
        await InsertAsync(table, Entry(1, SiloStatus.Active));
        var error = await Assert.ThrowsAsync<HarnessException>(
            () => KubectlAsync("patch", "om", _cluster, "--type=merge", "-p", patch));
        Assert.Contains(field, error.Message, StringComparison.Ordinal);
        Assert.Equal(SiloStatus.Active, (await table.ReadAllAsync(Stop)).Members.Single().Item1.Status);
    }

    [Fact]
    public async Task A_row_whose_address_is_none_is_named()
    {
        var table = await StartAsync();
        await InsertAsync(table, Entry(1, SiloStatus.Active));
        await KubectlAsync("patch", "om", _cluster, "--type=json", "-p", """[{"op":"move","from":"/spec/rows/127.0.0.1:11111@1","path":"/spec/rows/nobody"}]""");
        var error = await Assert.ThrowsAsync<InvalidDataException>(() => table.ReadAllAsync(Stop));
        Assert.Contains("'nobody'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_heartbeat_is_a_lease_of_the_pods_and_of_the_cluster()
    {
        var pod = new KubernetesMembershipOptions { PodName = "carina-x", PodUid = "1b0c", PodNamespace = MembershipApi.Namespace };
        var table = api.Table(_client, _cluster, pod);
        await table.InitializeMembershipTableAsync(true, Stop);
        await InsertAsync(table, Entry(1, SiloStatus.Active));
        await table.UpdateIAmAliveAsync(Entry(1, SiloStatus.Active), Stop);
        var lease = await LeaseAsync();
        Assert.Equal($"{_cluster}-127.0.0.1-11111-1", lease.Metadata.Name);
        Assert.Equal("127.0.0.1:11111@1", lease.Spec.HolderIdentity);
        Assert.Equal(90, lease.Spec.LeaseDurationSeconds);
        Assert.InRange(lease.Spec.RenewTime!.Value, _noon.AddMilliseconds(-1), _noon);
        var owner = Assert.Single(lease.Metadata.OwnerReferences);
        Assert.Equal(("v1", "Pod", "carina-x", "1b0c"), (owner.ApiVersion, owner.Kind, owner.Name, owner.Uid));
        var shown = await KubectlAsync("get", "om", _cluster, "-o", "jsonpath={.spec.rows.*.pod}");
        Assert.Contains("1b0c", shown, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pod_of_another_namespace_owns_nothing_here()
    {
        var pod = new KubernetesMembershipOptions { PodName = "carina-x", PodUid = "1b0c", PodNamespace = "elsewhere" };
        var table = api.Table(_client, _cluster, pod);
        await table.InitializeMembershipTableAsync(true, Stop);
        await InsertAsync(table, Entry(1, SiloStatus.Active));
        await table.UpdateIAmAliveAsync(Entry(1, SiloStatus.Active), Stop);
        Assert.Null((await LeaseAsync()).Metadata.OwnerReferences);
        Assert.Equal("", await KubectlAsync("get", "om", _cluster, "-o", "jsonpath={.spec.rows.*.pod}"));
    }

    [Fact]
    public async Task What_others_keep_in_the_lease_survives_heartbeats()
    {
        var table = await StartAsync();
        await table.UpdateIAmAliveAsync(Entry(1, SiloStatus.Active), Stop);
        var name = (await LeaseAsync()).Metadata.Name;
        await KubectlAsync("annotate", "lease", name, "fence=held");
        await KubectlAsync("patch", "lease", name, "--type=merge", "-p", """{"spec":{"leaseTransitions":7}}""");
        var later = Entry(1, SiloStatus.Active);
        later.IAmAliveTime = _noon.AddMinutes(1);
        await table.UpdateIAmAliveAsync(later, Stop);
        var lease = await LeaseAsync();
        Assert.Equal(("held", 7), (lease.Metadata.Annotations["fence"], lease.Spec.LeaseTransitions));
        Assert.True(lease.Spec.RenewTime > _noon.AddSeconds(59));
    }

    [Fact]
    public async Task A_clean_up_spares_a_lease_that_is_renewed_meanwhile()
    {
        var table = await StartAsync();
        await table.UpdateIAmAliveAsync(Entry(1, SiloStatus.Active), Stop);
        using var faults = new Faults();
        using var client = api.Client(faults: [faults]);
        faults.Next(1, request => request.Method == HttpMethod.Delete, async (request, pass, stop) =>
        {
            var later = Entry(1, SiloStatus.Active);
            later.IAmAliveTime = _noon.AddMinutes(1);
            await table.UpdateIAmAliveAsync(later, stop);
            return await pass(request, stop);
        });
        await api.Table(client, _cluster).CleanupDefunctSiloEntriesAsync(_noon.AddHours(1), Stop);
        Assert.Contains(faults.Requests, r => r.StartsWith("DELETE", StringComparison.Ordinal));
        Assert.True((await LeaseAsync()).Spec.RenewTime > _noon.AddSeconds(59));
    }

    [Fact]
    public void No_two_silos_share_a_lease()
    {
        var addresses = new[] { "10.0.0.1", "10.0.0.11", "fd00::1", "fd00::1:1", "1::2", "2::3", "1:2::3" }.Select(IPAddress.Parse);
        var names =
            from cluster in new[] { "a", "a-1", "a-1-2", "a-10" }
            from address in addresses
            from port in new[] { 1, 11 }
            from generation in new[] { 1, 11, int.MaxValue, -1 }
            select HeartbeatLease.NameOf(cluster, SiloAddress.New(address, port, generation));
        Assert.Equal(4 * 7 * 2 * 4, names.Distinct().Count());
        Assert.All(names, name => Assert.Matches(@"\A[a-z0-9]([-.a-z0-9]*[a-z0-9])?\z", name));
        Assert.True(HeartbeatLease.NameOf(new string('a', 63), SiloAddress.New(IPAddress.IPv6Loopback, 65535, -1)).Length <= 253);
    }

    private async Task<IMembershipTable> StartAsync()
    {
        var table = api.Table(_client, _cluster);
        await table.InitializeMembershipTableAsync(true, Stop);
        return table;
    }

    private static async Task InsertAsync(IMembershipTable table, MembershipEntry entry) =>
        Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync(Stop)).Version.Next(), Stop));

    private static MembershipEntry Entry(int generation, SiloStatus status) => new()
    {
        SiloAddress = SiloAddress.New(IPAddress.Loopback, 11111, generation),
        Status = status,
        SiloName = $"node{generation}",
        HostName = "host",
        StartTime = _noon,
        IAmAliveTime = _noon,
        SuspectTimes = [],
    };

    private async Task<V1Lease> LeaseAsync() => Assert.Single((await _client.CoordinationV1.ListNamespacedLeaseAsync(
        MembershipApi.Namespace, labelSelector: $"{KubernetesMembershipOptions.ClusterLabel}={_cluster}", cancellationToken: Stop)).Items);

    private Task<string> KubectlAsync(params string[] arguments) =>
        api.Plane.KubectlAsync(["--namespace", MembershipApi.Namespace, .. arguments]);
}
