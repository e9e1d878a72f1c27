using Carina.Harness.Kubernetes;
using k8s;
using k8s.Models;
using Microsoft.Extensions.DependencyInjection;

namespace Carina.Silo.Tests.Membership.Kubernetes;

/// <summary>
/// Pods and nodes are deleted under real silos, which go on running all the same: nobody but the deletion watch can
/// have them declared dead.
/// </summary>
[Collection(MembershipApiCollection.Name)]
public sealed class DeletionWatchTests(MembershipApi api) : IAsyncLifetime
{
    private readonly string _suffix = Guid.NewGuid().ToString("N")[..8];
    private readonly SiloCluster _cluster = new(api);
    private readonly Faults _faults = new();
    private IKubernetes? _faultyClient;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private IKubernetes Admin => api.Plane.Admin;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        _faultyClient?.Dispose();
        _faults.Dispose();
        await Admin.CoreV1.DeleteCollectionNamespacedPodAsync(
            MembershipApi.Namespace, gracePeriodSeconds: 0, cancellationToken: CancellationToken.None);
        await Admin.CoreV1.DeleteCollectionNodeAsync(cancellationToken: CancellationToken.None);
    }

    [Fact]
    public async Task The_silo_of_a_deleted_pod_is_dead_once_however_many_watch()
    {
        await StartWatchersAsync(2);
        var pod = await CreatePodAsync("node3");
        var silo = await StartAsync("node3", pod);
        await DeletePodAsync(pod);
        await SeeAsync("its death", () => _cluster.Members[0].StatusOf(silo) == SiloStatus.Dead);
        // One version for the death: the second to report it finds it dead.
        await Task.Delay(TimeSpan.FromSeconds(4), Stop);
        var dead = _cluster.Members[0].Membership.CurrentSnapshot;
        Assert.Equal(VersionsOf(2) + 2 + 1, dead.Version.Value);
        Assert.All(_cluster.Members.Take(2), m => Assert.Equal(SiloStatus.Active, dead.GetSiloStatus(m.Address)));
    }

    [Fact]
    public async Task The_silo_of_a_replacement_of_the_same_name_lives()
    {
        await StartWatchersAsync(1);
        var first = await CreatePodAsync("web-0");
        var old = await StartAsync("node2", first);
        await DeletePodAsync(first);
        var second = await CreatePodAsync("web-0");
        var replacement = await StartAsync("node2", second);
        await SeeAsync("the old one's death", () => _cluster.Members[0].StatusOf(old) == SiloStatus.Dead);
        await Task.Delay(TimeSpan.FromSeconds(4), Stop);
        Assert.Equal(SiloStatus.Active, _cluster.Members[0].StatusOf(replacement));
    }

    [Fact]
    public async Task A_pod_that_went_while_nobody_watched_is_found()
    {
        await _cluster.StartAsync("node1");
        var pod = await CreatePodAsync("node2");
        var silo = await StartAsync("node2", pod);
        await DeletePodAsync(pod);
        await Task.Delay(TimeSpan.FromSeconds(1), Stop);
        Assert.Equal(SiloStatus.Active, _cluster.Members[0].StatusOf(silo));
        var watcher = await _cluster.StartAsync("controller/a", spec => spec with { WatchesDeletions = true });
        await SeeAsync("its death", () => watcher.StatusOf(silo) == SiloStatus.Dead);
    }

    [Fact]
    public async Task Silos_without_a_pod_or_with_an_unlabelled_one_live()
    {
        await StartWatchersAsync(1);
        var unlabelled = await CreatePodAsync("bare", labelled: false);
        var withPod = await StartAsync("node2", unlabelled);
        var without = await _cluster.StartAsync("node3");
        var other = await CreatePodAsync("other");
        await DeletePodAsync(other);
        await Task.Delay(TimeSpan.FromSeconds(4), Stop);
        Assert.Equal(SiloStatus.Active, _cluster.Members[0].StatusOf(withPod));
        Assert.Equal(SiloStatus.Active, _cluster.Members[0].StatusOf(without));
    }

    [Fact]
    public async Task The_silo_of_a_deleted_node_is_dead_and_one_that_comes_later_lives()
    {
        await StartWatchersAsync(1);
        await CreateNodeAsync("node2");
        await SeeNodeAsync("node2");
        var silo = await StartAsync("node2");
        var neighbour = await StartAsync("node22");
        await DeleteNodeAsync("node2");
        await SeeAsync("its death", () => _cluster.Members[0].StatusOf(silo) == SiloStatus.Dead);
        Assert.Equal(SiloStatus.Active, _cluster.Members[0].StatusOf(neighbour));

        var later = await StartAsync("node2");
        await Task.Delay(TimeSpan.FromSeconds(4), Stop);
        Assert.Equal(SiloStatus.Active, _cluster.Members[0].StatusOf(later));
    }

    [Fact]
    public async Task A_node_that_is_back_when_asked_for_kills_nobody()
    {
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var back = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _faults.Rule = async (request, pass, stop) =>
            {
                if (request.RequestUri!.AbsolutePath.EndsWith($"/nodes/{Name("node2")}", StringComparison.Ordinal))
                {
                    asked.TrySetResult();
                    await back.Task.WaitAsync(stop);
                }

                return await pass(request, stop);
            };
        await StartFaultyWatcherAsync();
        await CreateNodeAsync("node2");
        await SeeNodeAsync("node2");
        var silo = await StartAsync("node2");
        await DeleteNodeAsync("node2");
        await asked.Task.WaitAsync(TimeSpan.FromSeconds(60), Stop);
        await CreateNodeAsync("node2");
        back.SetResult();
        await Task.Delay(TimeSpan.FromSeconds(4), Stop);
        Assert.Equal(SiloStatus.Active, _cluster.Members[0].StatusOf(silo));
    }

    [Fact]
    public async Task While_the_server_forbids_to_ask_nobody_dies()
    {
        _faults.Rule = (request, pass, stop) => request.RequestUri!.AbsolutePath.Contains("/pods/", StringComparison.Ordinal)
            ? Faults.RefuseAsync(request, System.Net.HttpStatusCode.Forbidden)
            : pass(request, stop);
        await StartFaultyWatcherAsync();
        var pod = await CreatePodAsync("node2");
        var silo = await StartAsync("node2", pod);
        await DeletePodAsync(pod);
        await SeeAsync("it to ask", () => _faults.Requests.Any(r => r.Contains("/pods/", StringComparison.Ordinal)));
        await Task.Delay(TimeSpan.FromSeconds(4), Stop);
        Assert.Equal(SiloStatus.Active, _cluster.Members[0].StatusOf(silo));

        _faults.Rule = (request, pass, stop) => pass(request, stop);
        await SeeAsync("its death", () => _cluster.Members[0].StatusOf(silo) == SiloStatus.Dead);
    }

    // A silo joins with two versions: Joining and Active.
    private static int VersionsOf(int silos) => 2 * silos;

    private string Name(string name) => $"{name}-{_suffix}";

    private async Task StartWatchersAsync(int count)
    {
        for (var i = 0; i < count; i++)
        {
            await _cluster.StartAsync($"controller/{i}", spec => spec with { WatchesDeletions = true });
        }
    }

    private async Task StartFaultyWatcherAsync()
    {
        _faultyClient = api.Client(faults: [_faults]);
        await _cluster.StartAsync(
            "controller/0",
            spec => spec with { WatchesDeletions = true },
            services => services.AddSingleton(_faultyClient));
    }

    private Task<SiloCluster.Member> StartAsync(string node, V1Pod? pod = null) => _cluster.StartAsync(
        Name(node),
        spec => spec with { PodName = pod?.Metadata.Name ?? "", PodUid = pod?.Metadata.Uid ?? "" });

    private Task<V1Pod> CreatePodAsync(string name, bool labelled = true) => Admin.CoreV1.CreateNamespacedPodAsync(
        new()
        {
            Metadata = new()
            {
                Name = Name(name),
                Labels = labelled
                    ? new Dictionary<string, string> { ["app.kubernetes.io/name"] = "carina-csi-driver" }
                    : null,
            },
            Spec = new() { Containers = [new() { Name = "main", Image = "none" }] },
        },
        MembershipApi.Namespace,
        cancellationToken: Stop);

    private Task<V1Pod> DeletePodAsync(V1Pod pod) => Admin.CoreV1.DeleteNamespacedPodAsync(
        pod.Metadata.Name, MembershipApi.Namespace, gracePeriodSeconds: 0, cancellationToken: Stop);

    private Task<V1Node> CreateNodeAsync(string name) => Admin.CoreV1.CreateNodeAsync(
        new() { Metadata = new() { Name = Name(name) } }, cancellationToken: Stop);

    private Task<V1Status> DeleteNodeAsync(string name) => Admin.CoreV1.DeleteNodeAsync(Name(name), cancellationToken: Stop);

    private Task<bool> SeeNodeAsync(string name)
    {
        var nodes = _cluster.Members[0].Host.Services
            .GetRequiredService<Carina.Kubernetes.Watching.IResourceCache<V1Node>>();
        return SeeAsync("the node to be known", () => nodes.Find("", Name(name)) is not null);
    }

    private static Task<bool> SeeAsync(string what, Func<bool> isRight) =>
        Eventually.ReadAsync(what, () => Task.FromResult(isRight()), right => right, Stop);
}
