using System.Text.Json.Nodes;

namespace Carina.Webhook.Tests.Hosting;

/// <summary>Reviews as the API server writes them.</summary>
internal static class Reviews
{
    public const string Uid = "705ab4f5-6393-11e8-b7cc-42010a800002";

    public static JsonObject Of(JsonObject pod, string version = "admission.k8s.io/v1", string ns = ClaimWorld.Namespace) => new()
    {
        ["kind"] = "AdmissionReview",
        ["apiVersion"] = version,
        ["request"] = new JsonObject
        {
            ["uid"] = Uid,
            ["kind"] = new JsonObject { ["group"] = "", ["version"] = "v1", ["kind"] = "Pod" },
            ["resource"] = new JsonObject { ["group"] = "", ["version"] = "v1", ["resource"] = "pods" },
            ["requestKind"] = new JsonObject { ["group"] = "", ["version"] = "v1", ["kind"] = "Pod" },
            ["requestResource"] = new JsonObject { ["group"] = "", ["version"] = "v1", ["resource"] = "pods" },
            ["name"] = "mysql-0",
            ["namespace"] = ns,
            ["operation"] = "CREATE",
            ["userInfo"] = new JsonObject { ["username"] = "admin", ["groups"] = new JsonArray("system:masters") },
            ["object"] = pod.DeepClone(),
            ["oldObject"] = null,
            ["dryRun"] = false,
            ["options"] = new JsonObject { ["kind"] = "CreateOptions", ["apiVersion"] = "meta.k8s.io/v1" },
        },
    };

    /// <summary>A pod with claims, as the API server hands it on: defaults filled in, namespace not.</summary>
    public static JsonObject Pod(params string[] claims)
    {
        var volumes = new JsonArray();
        foreach (var claim in claims)
        {
            volumes.Add(new JsonObject
            {
                ["name"] = "v" + volumes.Count,
                ["persistentVolumeClaim"] = new JsonObject { ["claimName"] = claim },
            });
        }

        volumes.Add(new JsonObject { ["name"] = "scratch", ["emptyDir"] = new JsonObject() });
        return new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Pod",
            ["metadata"] = new JsonObject { ["name"] = "mysql-0", ["creationTimestamp"] = null },
            ["spec"] = new JsonObject
            {
                ["volumes"] = volumes,
                ["containers"] = new JsonArray(new JsonObject { ["name"] = "c", ["image"] = "mysql:8" }),
                ["schedulerName"] = "default-scheduler",
                ["aFieldOfTheFuture"] = new JsonObject { ["kept"] = true },
            },
            ["status"] = new JsonObject(),
        };
    }

    public static JsonObject WithAnnotation(this JsonObject pod, string key, string value)
    {
        var metadata = pod["metadata"]!.AsObject();
        metadata["annotations"] ??= new JsonObject();
        metadata["annotations"]![key] = value;
        return pod;
    }

    public static JsonObject WithScheduler(this JsonObject pod, string? name)
    {
        pod["spec"]!["schedulerName"] = name;
        return pod;
    }

    public static JsonObject WithEphemeral(this JsonObject pod, string name, JsonObject spec)
    {
        pod["spec"]!["volumes"]!.AsArray().Add(new JsonObject
        {
            ["name"] = name,
            ["ephemeral"] = new JsonObject { ["volumeClaimTemplate"] = new JsonObject { ["spec"] = spec } },
        });
        return pod;
    }

    public static string? Scheduler(this JsonObject pod) => pod["spec"]!["schedulerName"]?.GetValue<string>();

    public static string? Annotation(this JsonObject pod, string key) => pod["metadata"]!["annotations"]?[key]?.GetValue<string>();
}
