using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Carina.Harness.Cluster;
using Carina.Harness.Kubernetes;
using Carina.Kubernetes.Resources;

namespace Carina.Silo.Tests.Storage.Kubernetes;

/// <summary>Objects as releases of Carina left them in clusters.</summary>
internal static class LegacyObjects
{
    public static string PathOf(string file) =>
        Path.Combine(BuiltAssemblies.Root, "tests/Carina.Silo.Tests/Storage/Kubernetes/Legacy", file);

    /// <summary>Makes a file's objects, with their status.</summary>
    public static async Task ApplyLegacyAsync(this ControlPlane plane, string file)
    {
        await plane.ApplyAsync(PathOf(file));
        var wanted = await plane.KubectlAsync(
            "create", "--dry-run=client", "--output=json", "--filename", PathOf(file));
        foreach (var item in ReadAll(Encoding.UTF8.GetBytes(wanted)))
        {
            if (item["status"] is null)
            {
                continue;
            }

            var (group, version) = item["apiVersion"]!.GetValue<string>().Split('/') is [var g, var v] ? (g, v) : default;
            var name = item["metadata"]!["name"]!.GetValue<string>();
            var ns = item["metadata"]!["namespace"]?.GetValue<string>();
            var plural = item["kind"]!.GetValue<string>() == CarinaApi.LogicVolumeKind
                ? CarinaApi.LogicVolumePlural
                : CarinaApi.NodeStorageResourcePlural;
            var path = $"/apis/{group}/{version}/{(ns is null ? "" : $"namespaces/{ns}/")}{plural}/{name}";
            var present = JsonNode.Parse(await plane.KubectlAsync("get", "--raw", path))!;
            present["status"] = item["status"]!.DeepClone();
            var body = Path.Combine(plane.Directory, Path.GetRandomFileName() + ".json");
            await File.WriteAllTextAsync(body, present.ToJsonString(new JsonSerializerOptions()));
            await plane.KubectlAsync("replace", "--raw", path + "/status", "--filename", body);
        }
    }

    // kubectl writes one document after the other.
    private static List<JsonNode> ReadAll(ReadOnlySpan<byte> text)
    {
        var documents = new List<JsonNode>();
        var reader = new Utf8JsonReader(text, new JsonReaderOptions { AllowMultipleValues = true });
        while (reader.Read())
        {
            documents.Add(JsonNode.Parse(ref reader)!);
        }

        return documents;
    }
}
