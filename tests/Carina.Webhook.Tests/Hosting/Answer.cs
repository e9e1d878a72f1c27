using System.Text.Json.Nodes;

namespace Carina.Webhook.Tests.Hosting;

/// <summary>An answered review, as the API server reads it.</summary>
internal sealed class Answer(JsonObject review)
{
    public JsonObject Review => review;

    public JsonObject Response => review["response"]!.AsObject();

    public string ApiVersion => review["apiVersion"]!.GetValue<string>();

    public string Uid => Response["uid"]!.GetValue<string>();

    public bool Allowed => Response["allowed"]!.GetValue<bool>();

    public IReadOnlyList<string> Warnings => [.. (Response["warnings"]?.AsArray() ?? []).Select(w => w!.GetValue<string>())];

    /// <summary>The operations; null when there is no patch.</summary>
    public JsonArray? Patch =>
        Response["patch"] is { } patch ? JsonNode.Parse(Convert.FromBase64String(patch.GetValue<string>()))!.AsArray() : null;

    /// <summary>Does what the patch says, by RFC 6902 as far as "add" to objects goes; anything else fails.</summary>
    public JsonObject Apply(JsonObject original)
    {
        var result = original.DeepClone().AsObject();
        if (Patch is null)
        {
            Assert.Null(Response["patchType"]);
            return result;
        }

        Assert.Equal("JSONPatch", Response["patchType"]!.GetValue<string>());
        foreach (var operation in Patch)
        {
            Assert.Equal("add", operation!["op"]!.GetValue<string>());
            var path = operation["path"]!.GetValue<string>().Split('/')[1..];
            var parent = path[..^1].Aggregate(
                (JsonNode)result, (node, key) => node[Unescape(key)] ?? throw new InvalidOperationException($"There is no {key}."));
            parent[Unescape(path[^1])] = operation["value"]!.DeepClone();
        }

        return result;
    }

    private static string Unescape(string key) => key.Replace("~1", "/").Replace("~0", "~");
}
