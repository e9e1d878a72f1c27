using System.Net;
using Carina.Silo.Membership;
using k8s;
using Microsoft.Extensions.Time.Testing;

namespace Carina.Silo.Tests.Membership.Kubernetes;

/// <summary>What a silo's table does when the API server, or the way to it, fails.</summary>
[Collection(MembershipApiCollection.Name)]
public sealed class MembershipFaultTests : IDisposable
{
    private static readonly DateTime _noon = new(2026, 1, 1, 12, 0, 0, DateTimeKind.Utc);
    private readonly string _cluster = "test-" + Guid.NewGuid().ToString("N")[..12];
    private readonly MembershipApi _api;
    private readonly Faults _faults = new();
    private readonly IKubernetes _client;
    private readonly IMembershipTable _table;

    public MembershipFaultTests(MembershipApi api)
    {
        _api = api;
        _client = api.Client(faults: [_faults]);
        _table = api.Table(_client, _cluster);
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _client.Dispose();
        _faults.Dispose();
    }

    [Fact]
    public async Task A_write_whose_answer_is_lost_fails_and_is_found_when_read_again()
    {
        await _table.InitializeMembershipTableAsync(true, Stop);
        var next = (await _table.ReadAllAsync(Stop)).Version.Next();
        _faults.Next(1, Faults.IsWrite, Faults.LoseAnswerAsync);
        await Assert.ThrowsAsync<HttpRequestException>(() => _table.InsertRowAsync(Entry(1), next, Stop));

        var data = await _table.ReadAllAsync(Stop);
        Assert.Equal(1, data.Version.Version);
        Assert.Equal(1, data.Members.Single().Item1.SiloAddress.Generation);
        Assert.False(await _table.InsertRowAsync(Entry(1), next, Stop));
        Assert.False(await _table.InsertRowAsync(Entry(2), next, Stop));
        Assert.Equal(1, (await _table.ReadAllAsync(Stop)).Version.Version);
    }

    [Fact]
    public async Task A_write_that_never_arrives_fails_and_has_no_effect()
    {
        await _table.InitializeMembershipTableAsync(true, Stop);
        var next = (await _table.ReadAllAsync(Stop)).Version.Next();
        _faults.Next(1, Faults.IsWrite, (_, _, _) => throw new HttpRequestException("connection refused"));
        await Assert.ThrowsAsync<HttpRequestException>(() => _table.InsertRowAsync(Entry(1), next, Stop));
        Assert.Equal(0, (await _table.ReadAllAsync(Stop)).Version.Version);
        Assert.True(await _table.InsertRowAsync(Entry(1), next, Stop));
    }

    [Fact]
    public async Task Somebody_elses_write_just_before_ours_makes_ours_false()
    {
        await _table.InitializeMembershipTableAsync(true, Stop);
        var next = (await _table.ReadAllAsync(Stop)).Version.Next();
        using var other = _api.Client();
        _faults.Next(1, Faults.IsWrite, async (request, pass, stop) =>
        {
            Assert.True(await _api.Table(other, _cluster).InsertRowAsync(Entry(2), next, stop));
            var answer = await pass(request, stop);
            Assert.Equal(HttpStatusCode.Conflict, answer.StatusCode);
            return answer;
        });
        Assert.False(await _table.InsertRowAsync(Entry(1), next, Stop));
        var data = await _table.ReadAllAsync(Stop);
        Assert.Equal((1, 2), (data.Version.Version, data.Members.Single().Item1.SiloAddress.Generation));
    }

    [Fact]
    public async Task Too_many_requests_are_repeated_when_the_server_says_so()
    {
        var time = new FakeTimeProvider();
        using var faults = new Faults();
        using var client = Carina.Kubernetes.Client.KubernetesClientExtensions.Create(_api.Options(), time, faults);
        var table = _api.Table(client, _cluster);
        await table.InitializeMembershipTableAsync(true, Stop);
        var next = (await table.ReadAllAsync(Stop)).Version.Next();
        faults.Next(2, Faults.IsWrite, (request, _, _) =>
            Faults.RefuseAsync(request, HttpStatusCode.TooManyRequests, TimeSpan.FromSeconds(3)));
        var insert = table.InsertRowAsync(Entry(1), next, Stop);
        await WaitForWritesAsync(faults, 1);
        time.Advance(TimeSpan.FromSeconds(2));
        await Task.Delay(200, Stop);
        Assert.Equal(1, Writes(faults));
        time.Advance(TimeSpan.FromSeconds(1));
        await WaitForWritesAsync(faults, 2);
        time.Advance(TimeSpan.FromSeconds(3));
        Assert.True(await insert);
        Assert.Equal(3, Writes(faults));
        Assert.Equal(1, (await table.ReadAllAsync(Stop)).Version.Version);
    }

    [Fact]
    public async Task A_server_that_refuses_for_ever_is_given_up_in_time()
    {
        await _table.InitializeMembershipTableAsync(true, Stop);
        using var faults = new Faults();
        using var client = _api.Client(timeout: TimeSpan.FromSeconds(2), faults: [faults]);
        faults.Rule = (request, _, _) =>
            Faults.RefuseAsync(request, HttpStatusCode.TooManyRequests, TimeSpan.FromSeconds(1));
        var error = await Assert.ThrowsAsync<TimeoutException>(() => _api.Table(client, _cluster).ReadAllAsync(Stop));
        Assert.Contains("within 2 s", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_frozen_server_fails_the_call_and_not_the_table()
    {
        await _table.InitializeMembershipTableAsync(true, Stop);
        using var client = _api.Client(timeout: TimeSpan.FromSeconds(2));
        var table = _api.Table(client, _cluster);
        var next = (await table.ReadAllAsync(Stop)).Version.Next();
        _api.Plane.FreezeApiServer();
        try
        {
            var error = await Assert.ThrowsAsync<TimeoutException>(
                () => table.InsertRowAsync(Entry(1), next, Stop));
            // Table and heartbeats are read side by side; which of the two is told of is chance.
            Assert.Contains("did not answer GET /apis/", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            _api.Plane.ThawApiServer();
        }

        await RepeatAsync(() => EnsureInsertedAsync(table, 1));
        var data = await _table.ReadAllAsync(Stop);
        Assert.Equal((1, 1), (data.Version.Version, data.Members.Count));
    }

    [Fact]
    public async Task Writers_lose_nothing_while_the_server_is_killed_again_and_again()
    {
        const int Writers = 8;
        const int Rows = 12;
        await _table.InitializeMembershipTableAsync(true, Stop);
        var writers = Enumerable.Range(0, Writers).Select(async writer =>
        {
            using var client = _api.Client(timeout: TimeSpan.FromSeconds(5));
            var table = _api.Table(client, _cluster);
            for (var row = 0; row < Rows; row++)
            {
                await RepeatAsync(() => EnsureInsertedAsync(table, (writer * Rows) + row + 1));
                await Task.Delay(150, Stop);
            }
        }).ToArray();
        for (var kill = 0; kill < 2; kill++)
        {
            await Task.Delay(500, Stop);
            await _api.Plane.KillApiServerAsync(Stop);
            await _api.Plane.StartApiServerAsync(Stop);
        }

        await Task.WhenAll(writers);
        var data = await _table.ReadAllAsync(Stop);
        Assert.Equal(
            Enumerable.Range(1, Writers * Rows), data.Members.Select(m => m.Item1.SiloAddress.Generation).Order());
        Assert.Equal(Writers * Rows, data.Version.Version);
    }

    [Fact]
    public async Task A_table_that_is_too_large_says_what_to_do()
    {
        await _table.InitializeMembershipTableAsync(true, Stop);
        var documents = _api.Documents(_client);
        var before = await documents.ReadAsync(_cluster, Stop);
        var rows = Enumerable.Range(1, 8000).ToDictionary(
            i => Entry(i).SiloAddress.ToParsableString(), i => MembershipRow.From(Entry(i), "1", null, null));
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => documents.TryWriteAsync(
            _cluster, new MembershipDocument { Version = 1, Rows = rows }, before.ETag, Stop));
        Assert.Contains("8000 rows", error.Message, StringComparison.Ordinal);
        Assert.Contains("at most some 200 silos", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, (await _table.ReadAllAsync(Stop)).Version.Version);
    }

    [Fact]
    public async Task Who_may_not_is_told_what_the_role_needs()
    {
        using var client = _api.Client(MembershipApi.StrangerUser);
        var table = _api.Table(client, _cluster);
        var error = await Assert.ThrowsAsync<UnauthorizedAccessException>(
            () => table.InitializeMembershipTableAsync(true, Stop));
        Assert.Contains("get, list, watch, create, update", error.Message, StringComparison.Ordinal);
        error = await Assert.ThrowsAsync<UnauthorizedAccessException>(
            () => table.UpdateIAmAliveAsync(Entry(1), Stop));
        Assert.Contains("leases.coordination.k8s.io", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_the_definition_a_silo_does_not_start_and_says_what_is_missing()
    {
        await _api.Plane.KubectlAsync("delete", "--wait", "-f", MembershipApi.Definition);
        try
        {
            var error = await Assert.ThrowsAsync<InvalidOperationException>(
                () => _table.InitializeMembershipTableAsync(true, Stop));
            Assert.Contains("orleansmemberships.carina.storage.io is missing", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            await _api.ApplyDefinitionAsync();
        }

        await _table.InitializeMembershipTableAsync(true, Stop);
        Assert.Equal(0, (await _table.ReadAllAsync(Stop)).Version.Version);
    }

    [Fact]
    public async Task A_silo_that_starts_before_the_API_server_can_be_reached_waits_for_it()
    {
        await _api.Plane.KillApiServerAsync(Stop);
        Task start;
        try
        {
            start = _table.InitializeMembershipTableAsync(true, Stop);
            await Assert.ThrowsAsync<TimeoutException>(() => start.WaitAsync(TimeSpan.FromSeconds(3), Stop));
        }
        finally
        {
            await _api.Plane.StartApiServerAsync(Stop);
        }

        await start;
        Assert.Equal(0, (await _table.ReadAllAsync(Stop)).Version.Version);
    }

    [Fact]
    public async Task A_table_deleted_while_the_cluster_runs_is_an_error_and_not_an_empty_table()
    {
        await _table.InitializeMembershipTableAsync(true, Stop);
        var next = (await _table.ReadAllAsync(Stop)).Version.Next();
        await _api.Plane.KubectlAsync("delete", "om", _cluster, "-n", MembershipApi.Namespace);
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => _table.ReadAllAsync(Stop));
        Assert.Contains($"no OrleansMembership '{_cluster}'", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidOperationException>(() => _table.InsertRowAsync(Entry(1), next, Stop));
    }

    [Theory]
    [InlineData("")]
    [InlineData("Carina")]
    [InlineData("a.b")]
    [InlineData("-a")]
    [InlineData("a\n")]
    [InlineData("a/../../b")]
    public async Task A_cluster_id_that_cannot_name_an_object_is_refused(string id)
    {
        var error = await Assert.ThrowsAsync<ArgumentException>(
            () => _api.Table(_client, id).InitializeMembershipTableAsync(true, Stop));
        Assert.Contains("DNS label", error.Message, StringComparison.Ordinal);
        Assert.Empty(_faults.Requests);
    }

    private static MembershipEntry Entry(int generation) => new()
    {
        SiloAddress = SiloAddress.New(IPAddress.Loopback, 11111, generation),
        Status = SiloStatus.Joining,
        SiloName = $"node-with-a-name-of-the-usual-length-{generation}",
        HostName = "host",
        StartTime = _noon,
        IAmAliveTime = _noon,
        SuspectTimes = [],
    };

    /// <summary>As Orleans joins: an insertion that failed without an answer may have happened.</summary>
    private static async Task<bool> EnsureInsertedAsync(IMembershipTable table, int generation)
    {
        try
        {
            var data = await table.ReadAllAsync(Stop);
            return data.TryGet(Entry(generation).SiloAddress) is not null
                || await table.InsertRowAsync(Entry(generation), data.Version.Next(), Stop);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            return false;
        }
    }

    private static async Task RepeatAsync(Func<Task<bool>> attempt)
    {
        for (var tries = 0; tries < 1000; tries++)
        {
            if (await attempt())
            {
                return;
            }

            await Task.Delay(Random.Shared.Next(200), Stop);
        }

        Assert.Fail("It never got through.");
    }

    private static int Writes(Faults faults) => faults.Requests.Count(r => r.StartsWith("PUT ", StringComparison.Ordinal));

    private static async Task WaitForWritesAsync(Faults faults, int count)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        while (Writes(faults) < count)
        {
            await Task.Delay(20, limit.Token);
        }

        // The wait begins after the request.
        await Task.Delay(200, limit.Token);
    }
}
