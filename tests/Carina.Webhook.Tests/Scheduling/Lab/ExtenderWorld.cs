using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Carina.Grains;
using Carina.Grains.Configuration;
using Carina.Grains.Nodes;
using Carina.Kubernetes.Watching;
using Carina.Webhook.Scheduling;
using Carina.Webhook.Scheduling.Capacity;
using k8s;
using k8s.Models;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Carina.Webhook.Tests.Scheduling.Lab;

/// <summary>
/// The extender over HTTP, with time, watched objects and ledgers that a test moves step by step. Its API server is away.
/// </summary>
internal sealed class ExtenderWorld : IAsyncDisposable
{
    public const long GiB = 1L << 30;
    public const string Namespace = "team";
    private readonly k8s.Kubernetes _nobody = new(new KubernetesClientConfiguration { Host = "http://127.0.0.1:1" });
    private readonly WebApplication _app;
    private readonly HttpClient _http = new();

    private ExtenderWorld(Action<SchedulingOptions>? configure)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Services.AddSingleton<TimeProvider>(Time);
        builder.Services.AddSingleton<IKubernetes>(_nobody);
        builder.Services.AddSingleton<ICarinaConfigSource>(Config);
        builder.Services.AddSingleton<ICapacitySource>(Ledgers);
        builder.Services.AddSingleton<IResourceCache<V1PersistentVolumeClaim>>(Claims);
        builder.Services.AddSingleton<IResourceCache<V1PersistentVolume>>(Volumes);
        builder.Services.AddSingleton<IResourceCache<V1StorageClass>>(Classes);
        builder.Services.AddSchedulerExtender(configure);
        _app = builder.Build();
        _app.MapSchedulerExtender();
        Classes.Put(new()
        {
            Metadata = new() { Name = "ssd" },
            Provisioner = CarinaNames.Driver,
            Parameters = new Dictionary<string, string> { [CarinaNames.LegacyDiskGroup] = "ssd" },
        });
    }

    public FakeTimeProvider Time { get; } = new();

    public SwitchedConfig Config { get; } = new();

    public PlayedLedgers Ledgers { get; } = new();

    public ChangingCache<V1PersistentVolumeClaim> Claims { get; } = new();

    public ChangingCache<V1PersistentVolume> Volumes { get; } = new();

    public ChangingCache<V1StorageClass> Classes { get; } = new();

    public static async Task<ExtenderWorld> StartAsync(Action<SchedulingOptions>? configure = null)
    {
        var world = new ExtenderWorld(configure);
        await world._app.StartAsync();
        return world;
    }

    /// <summary>A claim; its uid is its name.</summary>
    public void PutClaim(string name, int gib, string selectedNode = "", string volume = "", string annotation = "volume.kubernetes.io/selected-node") => Claims.Put(new()
    {
        Metadata = new()
        {
            Name = name,
            NamespaceProperty = Namespace,
            Uid = name,
            Annotations = selectedNode.Length > 0 ? new Dictionary<string, string> { [annotation] = selectedNode } : null,
        },
        Spec = new()
        {
            StorageClassName = "ssd",
            VolumeName = volume,
            Resources = new() { Requests = new Dictionary<string, ResourceQuantity> { ["storage"] = new($"{gib}Gi") } },
        },
    });

    public static JsonObject Pod(string name, params string[] claims) => new()
    {
        ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = Namespace, ["uid"] = "uid-" + name },
        ["spec"] = new JsonObject
        {
            ["volumes"] = new JsonArray(
            [
                .. claims.Select(c => new JsonObject
                {
                    ["name"] = c,
                    ["persistentVolumeClaim"] = new JsonObject { ["claimName"] = c },
                }),
            ]),
        },
    };

    /// <summary>Asks with the names of all nodes, as with nodeCacheCapable: true, and in the case of Go.</summary>
    public Task<JsonNode> AskAsync(string path, JsonObject pod) => SendAsync(path, new JsonObject
    {
        ["Pod"] = pod,
        ["Nodes"] = null,
        ["NodeNames"] = new JsonArray([.. Ledgers.Nodes.Keys.Order(StringComparer.Ordinal).Select(n => JsonValue.Create(n))]),
    });

    public async Task<JsonNode> SendAsync(string path, JsonNode request)
    {
        var (status, body) = await PostAsync(path, new StringContent(request.ToJsonString()));
        Assert.Equal((HttpStatusCode.OK, true), (status, body.Length > 0));
        return JsonNode.Parse(body)!;
    }

    /// <summary>Nodes that pass the filter.</summary>
    public async Task<string> FilterAsync(JsonObject pod) => string.Join(
        ' ', (await AskAsync(WebhookPaths.Filter, pod))["nodeNames"]!.AsArray().Select(n => n!.GetValue<string>()));

    /// <summary>Scores as "node=score".</summary>
    public async Task<string> PrioritizeAsync(JsonObject pod) => string.Join(
        ' ', (await AskAsync(WebhookPaths.Prioritize, pod)).AsArray().Select(n => $"{n!["host"]}={n["score"]}"));

    public async Task<(HttpStatusCode Status, string Body)> PostAsync(string path, HttpContent content)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(new Uri(_app.Urls.Single()), path)) { Content = content };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using var response = await _http.SendAsync(request, TestContext.Current.CancellationToken);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    public Task<(HttpStatusCode Status, string Body)> PostAsync(string path, byte[] body) => PostAsync(path, new ByteArrayContent(body));

    public Task<(HttpStatusCode Status, string Body)> PostAsync(string path, string body) => PostAsync(path, Encoding.UTF8.GetBytes(body));

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _app.DisposeAsync();
        _nobody.Dispose();
    }
}

/// <summary>Ledgers of one pool each.</summary>
internal sealed class PlayedLedgers : ICapacitySource
{
    private int _readings;

    /// <summary>Gibibytes left in carina-vg-ssd by node.</summary>
    public Dictionary<string, long> Nodes { get; } = new(StringComparer.Ordinal);

    /// <summary>Volumes that are counted in it, by node.</summary>
    public HashSet<(string Node, string Volume)> Promised { get; } = [];

    public int Readings => Volatile.Read(ref _readings);

    /// <summary>When set, readings end with it.</summary>
    public Func<CancellationToken, Task>? Disturb { get; set; }

    public async Task<IReadOnlyList<NodeCapacity>> ReadAsync(
        Dictionary<string, List<string>> awaited, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _readings);
        if (Disturb is { } disturb)
        {
            await disturb(cancellationToken);
        }

        return
        [
            .. Nodes.Select(n => new NodeCapacity(
                n.Key,
                [
                    new()
                    {
                        Name = "carina-vg-ssd",
                        Policy = PoolPolicy.Lvm,
                        SizeBytes = 1000 * ExtenderWorld.GiB,
                        AvailableBytes = n.Value * ExtenderWorld.GiB,
                        AllocatedBytes = 0,
                        GranularityBytes = 1,
                        Volumes = 0,
                    },
                ],
                new Dictionary<string, string>())
            {
                Promised = [.. awaited.GetValueOrDefault(n.Key, []).Where(v => Promised.Contains((n.Key, v)))],
            }),
        ];
    }
}
