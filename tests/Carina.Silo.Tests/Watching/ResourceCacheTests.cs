using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Carina.Harness.Kubernetes;
using Carina.Kubernetes.Watching;
using Carina.Silo.Tests.Membership.Kubernetes;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carina.Silo.Tests.Watching;

/// <summary>A cache of pods of one namespace, fed by a real API server.</summary>
[Collection(MembershipApiCollection.Name)]
public sealed partial class ResourceCacheTests(MembershipApi api) : IAsyncLifetime
{
    private readonly string _namespace = "watch-" + Guid.NewGuid().ToString("N")[..12];
    private readonly ConcurrentQueue<string> _changes = new();
    private readonly Faults _faults = new();
    private IKubernetes? _client;
    private ResourceCache<V1Pod>? _cache;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private ResourceCache<V1Pod> Cache => _cache ?? throw new InvalidOperationException("Not started.");

    private int Lists => _faults.Requests.Count(r => !r.Contains("watch=true", StringComparison.Ordinal));

    private string[] Watches => [.. _faults.Requests.Where(r => r.Contains("watch=true", StringComparison.Ordinal))];

    public async ValueTask InitializeAsync() => await api.Plane.Admin.CoreV1.CreateNamespaceAsync(
        new() { Metadata = new() { Name = _namespace } }, cancellationToken: Stop);

    public async ValueTask DisposeAsync()
    {
        if (_cache is not null)
        {
            await _cache.StopAsync(CancellationToken.None);
            _cache.Dispose();
        }

        _client?.Dispose();
        _faults.Dispose();
    }

    [Fact]
    public async Task It_knows_what_was_there_and_what_comes_changes_and_goes()
    {
        await CreateAsync("before");
        await StartAsync();
        Assert.Equal(["before"], Known());
        await CreateAsync("after");
        await SeeAsync("after to come", known => known.SequenceEqual(["after", "before"]));
        await api.Plane.KubectlAsync("label", "pod", "before", "-n", _namespace, "changed=yes");
        await SeeAsync("the label", _ => Cache.Find(_namespace, "before")?.Metadata.Labels?.ContainsKey("changed") == true);
        await DeleteAsync("before");
        await SeeAsync("before to go", known => known.SequenceEqual(["after"]));
        Assert.Null(Cache.Find(_namespace, "before"));
        Assert.Null(Cache.Find("default", "after"));
        Assert.Equal(1, Lists);
        // A deletion is announced by a change of the pod first.
        Assert.Equal(["+before", "+after", "~before", "-before"], _changes.Distinct());
    }

    [Fact]
    public async Task It_keeps_what_it_knows_while_the_server_is_away_and_finds_what_it_missed()
    {
        await CreateAsync("stays");
        await CreateAsync("goes");
        await StartAsync();
        // Cut off, so that it misses the deletion, as in an outage of this client's way only.
        _faults.Rule = (_, _, _) => throw new HttpRequestException("connection refused");
        await api.Plane.KillApiServerAsync(Stop);
        await api.Plane.StartApiServerAsync(Stop);
        await DeleteAsync("goes");
        await CreateAsync("comes");
        Assert.Equal(["goes", "stays"], Known());
        _faults.Rule = (request, pass, stop) => pass(request, stop);
        await SeeAsync("the world as it is", known => known.SequenceEqual(["comes", "stays"]));
        Assert.Contains("-goes", _changes);
        Assert.DoesNotContain("-stays", _changes);
    }

    [Fact]
    public async Task A_replacement_of_the_same_name_is_seen_as_another_object()
    {
        await CreateAsync("web-0");
        await StartAsync();
        var first = Cache.Find(_namespace, "web-0")!.Metadata.Uid;
        await DeleteAsync("web-0");
        await CreateAsync("web-0");
        await SeeAsync("the replacement", _ => Cache.Find(_namespace, "web-0") is { } now && now.Metadata.Uid != first);
    }

    [Fact]
    public async Task A_version_that_is_compacted_away_leads_to_a_new_list()
    {
        // The real server refuses version 1: 410, within the stream of the watch.
        _faults.Next(1, Faults.IsWatch, (request, pass, stop) =>
        {
            request.RequestUri = new(ResourceVersion().Replace(request.RequestUri!.AbsoluteUri, "resourceVersion=1"));
            return pass(request, stop);
        });
        await CreateAsync("one");
        await StartAsync();
        await SeeAsync("the second watch", _ => Watches.Length >= 2);
        Assert.Equal(2, Lists);
        await CreateAsync("two");
        await SeeAsync("two to come", known => known.SequenceEqual(["one", "two"]));
        Assert.Equal(2, Lists);
    }

    [Fact]
    public async Task A_watch_outlives_the_time_that_requests_have()
    {
        await StartAsync(TimeSpan.FromSeconds(2));
        await Task.Delay(TimeSpan.FromSeconds(4), Stop);
        await CreateAsync("late");
        await SeeAsync("late to come", known => known.SequenceEqual(["late"]));
        Assert.Equal(1, Lists);
        Assert.Single(Watches);
    }

    [Fact]
    public async Task A_watch_goes_on_from_the_last_bookmark()
    {
        // The server sends a bookmark just before the watch's time is up.
        _faults.Rule = (request, pass, stop) =>
        {
            request.RequestUri = new(Seconds().Replace(request.RequestUri!.AbsoluteUri, "timeoutSeconds=6"));
            return pass(request, stop);
        };
        await StartAsync();
        // Moves the version of all pods, without a word to this watch.
        await CreateAsync("elsewhere", MembershipApi.Namespace);
        await DeleteAsync("elsewhere", MembershipApi.Namespace);
        await SeeAsync("the second watch", _ => Watches.Length >= 2);
        Assert.Equal(1, Lists);
        Assert.True(VersionOf(Watches[1]) > VersionOf(Watches[0]), string.Join('\n', Watches));
        Assert.Empty(_changes);
    }

    [Fact]
    public async Task A_frozen_server_is_noticed_and_the_watch_begun_anew()
    {
        await StartAsync(TimeSpan.FromSeconds(3));
        api.Plane.FreezeApiServer();
        try
        {
            // The connection's ping finds it, long before the watch's own time is up.
            await SeeAsync("another try", _ => Lists >= 2);
        }
        finally
        {
            api.Plane.ThawApiServer();
        }

        await CreateAsync("thawed");
        await SeeAsync("what came since", known => known.SequenceEqual(["thawed"]));
    }

    [Fact]
    public async Task A_list_of_many_pages_is_taken_in_whole()
    {
        _faults.Rule = (request, pass, stop) =>
        {
            request.RequestUri = new(request.RequestUri!.AbsoluteUri.Replace("limit=500", "limit=2", StringComparison.Ordinal));
            return pass(request, stop);
        };
        string[] names = [.. Enumerable.Range(1, 5).Select(i => $"pod-{i}")];
        foreach (var name in names)
        {
            await CreateAsync(name);
        }

        await StartAsync();
        Assert.Equal(names, Known());
        Assert.Equal(3, Lists);
    }

    [Fact]
    public async Task Who_may_list_but_not_watch_does_not_storm_the_server()
    {
        _faults.Rule = (request, pass, stop) => Faults.IsWatch(request)
            ? Faults.RefuseAsync(request, System.Net.HttpStatusCode.Forbidden)
            : pass(request, stop);
        await StartAsync();
        await Task.Delay(TimeSpan.FromSeconds(5), Stop);
        // 0.1, 0.2, 0.4, 0.8, 1.6, 3.2 s apart.
        Assert.InRange(Lists, 2, 8);
    }

    [Fact]
    public async Task A_listener_that_fails_does_not_stop_the_others()
    {
        await StartAsync();
        using var bad = Cache.OnChange(_ => throw new InvalidOperationException("a listener's fault"));
        var good = new ConcurrentQueue<string>();
        var subscription = Cache.OnChange(change => good.Enqueue(change.New?.Metadata.Name ?? ""));
        await CreateAsync("one");
        await SeeAsync("one to be told", _ => good.Contains("one"));
        subscription.Dispose();
        await CreateAsync("two");
        await SeeAsync("two to come", known => known.Contains("two"));
        Assert.DoesNotContain("two", good);
    }

    private async Task StartAsync(TimeSpan? timeout = null)
    {
        _client = api.Client(timeout: timeout, faults: [_faults], user: KubernetesUser.AdminName);
        _cache = new(
            ResourceSources.NamespacedPods(_client, _namespace), TimeProvider.System, NullLogger<ResourceCache<V1Pod>>.Instance);
        _cache.OnChange(change => _changes.Enqueue(
            (change.Old is null ? "+" : change.New is null ? "-" : "~") + (change.New ?? change.Old)!.Metadata.Name));
        await _cache.StartAsync(Stop);
        await _cache.Synced.WaitAsync(TimeSpan.FromSeconds(60), Stop);
    }

    private string[] Known() => [.. Cache.All.Select(p => p.Metadata.Name).Order(StringComparer.Ordinal)];

    private Task<string[]> SeeAsync(string what, Func<string[], bool> isRight) =>
        Eventually.ReadAsync(what, () => Task.FromResult(Known()), isRight, Stop);

    private Task<V1Pod> CreateAsync(string name, string? ns = null) => api.Plane.Admin.CoreV1.CreateNamespacedPodAsync(
        new()
        {
            Metadata = new() { Name = name },
            Spec = new() { Containers = [new() { Name = "main", Image = "none" }] },
        },
        ns ?? _namespace,
        cancellationToken: Stop);

    private Task<V1Pod> DeleteAsync(string name, string? ns = null) => api.Plane.Admin.CoreV1.DeleteNamespacedPodAsync(
        name, ns ?? _namespace, gracePeriodSeconds: 0, cancellationToken: Stop);

    private static long VersionOf(string request) => long.Parse(
        ResourceVersion().Match(request).Value.Split('=')[1], System.Globalization.CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\bresourceVersion=\d+")]
    private static partial Regex ResourceVersion();

    [GeneratedRegex(@"\btimeoutSeconds=\d+")]
    private static partial Regex Seconds();
}
