using System.Text.Json;
using Carina.Webhook.Claims;
using k8s;
using k8s.Models;

namespace Carina.Webhook.Scheduling.Protocol;

/// <summary>
/// What a scheduler asks (<c>ExtenderArgs</c> of k8s.io/kube-scheduler/extender/v1): a pod, and nodes by name, or as whole
/// objects from schedulers that are told that the extender has no cache of its own.
/// </summary>
internal sealed class ExtenderRequest : IDisposable
{
    private const int MaxUidChars = 256;

    // A pod is an object of 1.5 MiB at most.
    private const int MaxVolumes = 10_000;

    private readonly JsonDocument _document;

    private ExtenderRequest(JsonDocument document, V1Pod pod, IReadOnlyList<string> nodes, IReadOnlyList<JsonElement>? objects)
    {
        _document = document;
        Pod = PodOutline.Of(pod, "default");
        PodUid = pod.Metadata?.Uid ?? "";
        NodeNames = nodes;
        NodeObjects = objects;
    }

    public PodOutline Pod { get; }

    /// <summary>The pod's uid; empty for pods that are not stored (simulations).</summary>
    public string PodUid { get; }

    public IReadOnlyList<string> NodeNames { get; }

    /// <summary>The Node objects in the order of the names, exactly as they came; null when only names came.</summary>
    public IReadOnlyList<JsonElement>? NodeObjects { get; }

    /// <exception cref="MalformedRequestException">It is none.</exception>
    public static async Task<ExtenderRequest> ReadAsync(Stream body, CancellationToken cancellationToken)
    {
        JsonDocument document;
        try
        {
            document = await JsonDocument.ParseAsync(body, default, cancellationToken).ConfigureAwait(false);
        }
        catch (JsonException exception)
        {
            throw new MalformedRequestException($"The request is not JSON: {exception.Message}", exception);
        }

        try
        {
            return Read(document);
        }
        catch (InvalidOperationException exception)
        {
            // Texts are looked at only when they are read.
            document.Dispose();
            throw new MalformedRequestException($"The request has a text that is not UTF-8: {exception.Message}", exception);
        }
        catch
        {
            document.Dispose();
            throw;
        }
    }

    public void Dispose() => _document.Dispose();

    private static ExtenderRequest Read(JsonDocument document)
    {
        var root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new MalformedRequestException($"The request is {Kind(root)}; it must be an object with pod and nodes.");
        }

        var pod = ReadPod(Member(root, "pod"));
        var names = ReadNames(Member(root, "nodenames"));
        var objects = ReadObjects(Member(root, "nodes"));
        if (pod.Metadata?.Uid is { Length: > MaxUidChars } || pod.Spec.Volumes is { Count: > MaxVolumes })
        {
            throw new MalformedRequestException("The request's pod has a longer uid, or more volumes, than a pod can have.");
        }

        return (names, objects) switch
        {
            (null, null) => throw new MalformedRequestException("The request names no nodes: it has neither nodes nor nodeNames."),
            (not null, not null) => throw new MalformedRequestException("The request has both nodes and nodeNames; give one of them."),
            _ => new(document, pod, names ?? [.. objects!.Select(o => o.Name)], objects?.Select(o => o.Node).ToList()),
        };
    }

    // Only what is needed: fields of later Kubernetes versions must not matter.
    private static V1Pod ReadPod(JsonElement? pod)
    {
        if (pod is not { ValueKind: JsonValueKind.Object } given)
        {
            throw new MalformedRequestException("The request has no pod.");
        }

        try
        {
            var volumes = Member(given, "spec") is { ValueKind: JsonValueKind.Object } spec ? Member(spec, "volumes") : null;
            return new()
            {
                Metadata = Member(given, "metadata") is { ValueKind: JsonValueKind.Object } metadata
                    ? KubernetesJson.Deserialize<V1ObjectMeta>(metadata)
                    : null,
                Spec = new() { Volumes = volumes is { } list ? KubernetesJson.Deserialize<List<V1Volume>>(list) : null },
            };
        }
        catch (Exception exception) when (exception is JsonException or FormatException or NotSupportedException
            or InvalidOperationException or ArgumentException or OverflowException)
        {
            throw new MalformedRequestException($"The request's pod cannot be read: {exception.Message}", exception);
        }
    }

    private static List<string>? ReadNames(JsonElement? names)
    {
        if (names is not { } given)
        {
            return null;
        }

        if (given.ValueKind != JsonValueKind.Array)
        {
            throw new MalformedRequestException($"The request's nodeNames are {Kind(given)}; they must be a list of names.");
        }

        return [.. given.EnumerateArray().Select(n => ReadName(n, "nodeNames"))];
    }

    private static List<(string Name, JsonElement Node)>? ReadObjects(JsonElement? nodes)
    {
        if (nodes is not { } given)
        {
            return null;
        }

        if (given.ValueKind != JsonValueKind.Object || Member(given, "items") is not { ValueKind: JsonValueKind.Array } items)
        {
            throw new MalformedRequestException("The request's nodes are no NodeList: they have no items.");
        }

        return [.. items.EnumerateArray().Select(n => (ReadName(NameOf(n), "nodes"), n))];
    }

    private static JsonElement? NameOf(JsonElement node) =>
        node.ValueKind == JsonValueKind.Object && Member(node, "metadata") is { ValueKind: JsonValueKind.Object } metadata
            ? Member(metadata, "name")
            : null;

    private static string ReadName(JsonElement? name, string field) =>
        name is { ValueKind: JsonValueKind.String } given && given.GetString() is { Length: > 0 } text
            ? text
            : throw new MalformedRequestException($"The request's {field} hold one without a name.");

    // Go writes and reads these names in any case; null is what is not there.
    private static JsonElement? Member(JsonElement parent, string name)
    {
        foreach (var member in parent.EnumerateObject())
        {
            if (member.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
            {
                return member.Value.ValueKind == JsonValueKind.Null ? null : member.Value;
            }
        }

        return null;
    }

    private static string Kind(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "a truth value",
    };
}

/// <summary>The request cannot be understood; the message is for its sender.</summary>
internal sealed class MalformedRequestException(string message, Exception? inner = null) : Exception(message, inner);
