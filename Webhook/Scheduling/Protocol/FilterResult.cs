using System.Text.Json;

namespace Carina.Webhook.Scheduling.Protocol;

/// <summary>The answer to a filter request (<c>ExtenderFilterResult</c> of k8s.io/kube-scheduler/extender/v1).</summary>
internal sealed record FilterResult
{
    /// <summary>Nodes where the pod can go.</summary>
    public IReadOnlyList<string> Passed { get; init; } = [];

    /// <summary>Nodes where it cannot, with the reason.</summary>
    public IReadOnlyDictionary<string, string> Failed { get; init; } = new Dictionary<string, string>();

    /// <summary>Those of them where evicting other pods could not help.</summary>
    public IReadOnlySet<string> Unresolvable { get; init; } = new HashSet<string>();

    /// <summary>Why nothing can be said; empty when the rest counts.</summary>
    public string Error { get; init; } = "";

    /// <summary>Writes it in the form of the request.</summary>
    public void Write(Utf8JsonWriter writer, ExtenderRequest request)
    {
        writer.WriteStartObject();
        if (Error.Length > 0)
        {
            writer.WriteString("error", Error);
            writer.WriteEndObject();
            return;
        }

        if (request.NodeObjects is { } objects)
        {
            WriteObjects(writer, request.NodeNames, objects);
        }
        else
        {
            writer.WriteStartArray("nodeNames");
            foreach (var name in Passed)
            {
                writer.WriteStringValue(name);
            }

            writer.WriteEndArray();
        }

        // Schedulers before 1.21 do not read the second list; later ones let it take precedence.
        WriteReasons(writer, "failedNodes", Failed);
        WriteReasons(writer, "failedAndUnresolvableNodes", Failed.Where(f => Unresolvable.Contains(f.Key)));
        writer.WriteEndObject();
    }

    private void WriteObjects(Utf8JsonWriter writer, IReadOnlyList<string> names, IReadOnlyList<JsonElement> objects)
    {
        var passed = Passed.ToHashSet(StringComparer.Ordinal);
        writer.WriteStartObject("nodes");
        writer.WriteStartObject("metadata");
        writer.WriteEndObject();
        writer.WriteStartArray("items");
        for (var i = 0; i < objects.Count; i++)
        {
            if (passed.Contains(names[i]))
            {
                objects[i].WriteTo(writer);
            }
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteReasons(Utf8JsonWriter writer, string name, IEnumerable<KeyValuePair<string, string>> reasons)
    {
        writer.WriteStartObject(name);
        foreach (var (node, reason) in reasons)
        {
            writer.WriteString(node, reason);
        }

        writer.WriteEndObject();
    }
}
