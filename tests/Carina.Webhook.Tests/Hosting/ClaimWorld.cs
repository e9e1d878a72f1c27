using System.Buffers;
using System.Text;
using System.Text.Json.Nodes;
using Carina.Webhook.Admission;
using Carina.Webhook.Claims;
using Carina.Webhook.Hosting;
using Carina.Webhook.Lookup;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carina.Webhook.Tests.Hosting;

/// <summary>
/// What the webhook knows of a cluster, and the webhook from review to answer without HTTP. Its API server is away: what
/// is not known here cannot be asked for (<see cref="Cluster"/> has the tests with one).
/// </summary>
internal sealed class ClaimWorld : IDisposable
{
    public const string Namespace = "team";
    private readonly k8s.Kubernetes _nobody = new k8s.Kubernetes(new KubernetesClientConfiguration { Host = "http://127.0.0.1:1" });

    public ClaimWorld()
    {
        AddClass("csi-carina-sc", Parameters(("carina.storage.io/disk-group-name", "carina-lvm")));
        AddClass("other", provisioner: "other.example.com");
        AddClaim("data", "csi-carina-sc");
        AddClaim("foreign", "other");
        Namespaces.Add(new() { Metadata = new() { Name = Namespace } });
    }

    public StaticCache<V1PersistentVolumeClaim> Claims { get; } = new();

    public StaticCache<V1PersistentVolume> Volumes { get; } = new();

    public StaticCache<V1StorageClass> Classes { get; } = new();

    public StaticCache<V1Namespace> Namespaces { get; } = new();

    public WebhookOptions Options { get; } = new();

    /// <summary>Replaces what finds claims.</summary>
    public IPodClaims? OtherClaims { get; set; }

    public IPodClaims PodClaims
    {
        get
        {
            var objects = new ClaimObjects(_nobody, Claims, Volumes, Classes, Lookup);
            return new PodClaims(objects, new(objects, Microsoft.Extensions.Options.Options.Create(new PodClaimsOptions()), TimeProvider.System));
        }
    }

    private static ApiLookup Lookup => new(
        Microsoft.Extensions.Options.Options.Create(new ApiLookupOptions()), TimeProvider.System, NullLogger<ApiLookup>.Instance);

    public static Dictionary<string, string> Parameters(params (string Key, string Value)[] all) =>
        all.ToDictionary(p => p.Key, p => p.Value);

    public V1StorageClass AddClass(
        string name,
        Dictionary<string, string>? parameters = null,
        Dictionary<string, string>? annotations = null,
        string provisioner = "carina.storage.io")
    {
        var item = new V1StorageClass
        {
            Metadata = new() { Name = name, Annotations = annotations },
            Provisioner = provisioner,
            Parameters = parameters,
        };
        Classes.Add(item);
        return item;
    }

    public V1PersistentVolumeClaim AddClaim(
        string name, string? storageClass, Dictionary<string, string>? annotations = null, string? volume = null)
    {
        var item = new V1PersistentVolumeClaim
        {
            Metadata = new() { Name = name, NamespaceProperty = Namespace, Uid = "uid-" + name, Annotations = annotations },
            Spec = new()
            {
                StorageClassName = storageClass,
                VolumeName = volume,
                VolumeMode = "Filesystem",
                Resources = new() { Requests = new Dictionary<string, ResourceQuantity> { ["storage"] = new("7Gi") } },
            },
        };
        Claims.Add(item);
        return item;
    }

    public V1PersistentVolume AddVolume(
        string name, string? node = null, string driver = "carina.storage.io", Dictionary<string, string>? attributes = null)
    {
        var item = new V1PersistentVolume
        {
            Metadata = new() { Name = name },
            Spec = new() { Csi = new() { Driver = driver, VolumeHandle = "volume-" + name, VolumeAttributes = attributes } },
        };
        if (node is not null)
        {
            item.Spec.NodeAffinity = new()
            {
                Required = new()
                {
                    NodeSelectorTerms =
                    [
                        new() { MatchExpressions = [new() { Key = "topology.carina.storage.io/node", OperatorProperty = "In", Values = [node] }] },
                    ],
                },
            };
        }

        Volumes.Add(item);
        return item;
    }

    /// <summary>The answer to a review, parsed.</summary>
    public async Task<Answer> AskAsync(JsonNode review) => await AskAsync(Encoding.UTF8.GetBytes(review.ToJsonString()));

    public async Task<Answer> AskAsync(ReadOnlyMemory<byte> body)
    {
        var options = Microsoft.Extensions.Options.Options.Create(Options);
        var mutator = new PodMutator(
            OtherClaims ?? PodClaims, new NamespaceOptOut(_nobody, Namespaces, Lookup), FixedConfig.Usual(), options);
        var handler = new ReviewHandler(mutator, options, TimeProvider.System, NullLogger<ReviewHandler>.Instance);
        var output = new ArrayBufferWriter<byte>();
        await handler.AnswerAsync(body, output, TestContext.Current.CancellationToken);
        return new(JsonNode.Parse(output.WrittenSpan)!.AsObject());
    }

    /// <summary>Lets the webhook mutate a pod, and returns it as the API server then has it.</summary>
    public async Task<JsonObject> MutateAsync(JsonObject pod)
    {
        var answer = await AskAsync(Reviews.Of(pod));
        Assert.True(answer.Allowed);
        return answer.Apply(pod);
    }

    public void Dispose() => _nobody.Dispose();
}
