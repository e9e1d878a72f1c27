using System.Text.Json;

namespace Carina.Benchmarks.Webhook;

/// <summary>Reviews of the size that real ones have: two containers, environment, probes, tolerations, managed fields.</summary>
internal static class ReviewBodies
{
    /// <summary>Of ten pods, six have no claim, three one of ours, one has two.</summary>
    public static byte[][] Make(int count) => [.. Enumerable.Range(0, count).Select(i => Make(i, i % 10 < 6 ? 0 : i % 10 < 9 ? 1 : 2))];

    private static byte[] Make(int number, int claims)
    {
        var volumes = Enumerable.Range(0, claims)
            .Select(c => (object)new { name = $"data{c}", persistentVolumeClaim = new { claimName = $"data-{((number * 7) + c) % ClusterObjects.Claims}" } })
            .Append(new { name = "config", configMap = new { name = "config", defaultMode = 420 } })
            .Append(new { name = "token", secret = new { secretName = "default-token-x", defaultMode = 420 } });
        var pod = new
        {
            apiVersion = "v1",
            kind = "Pod",
            metadata = new
            {
                name = $"mysql-{number}",
                @namespace = ClusterObjects.Namespace,
                creationTimestamp = (string?)null,
                labels = new Dictionary<string, string> { ["app"] = "mysql", ["controller-revision-hash"] = "mysql-5c8b8f8f9d" },
                annotations = new Dictionary<string, string> { ["prometheus.io/scrape"] = "true", ["checksum/config"] = new('a', 64) },
                ownerReferences = new[] { new { apiVersion = "apps/v1", kind = "StatefulSet", name = "mysql", uid = "x", controller = true, blockOwnerDeletion = true } },
                managedFields = new[] { new { manager = "kube-controller-manager", operation = "Update", apiVersion = "v1", fieldsV1 = Enumerable.Range(0, 40).ToDictionary(i => $"f:field-{i}", _ => new object()) } },
            },
            spec = new
            {
                volumes,
                containers = Enumerable.Range(0, 2).Select(c => new
                {
                    name = $"c{c}",
                    image = "example/mysql:8.0.36",
                    env = Enumerable.Range(0, 25).Select(e => new { name = $"VARIABLE_{e}", value = $"value of variable {e}" }),
                    resources = new { requests = new { cpu = "500m", memory = "1Gi" }, limits = new { memory = "1Gi" } },
                    volumeMounts = Enumerable.Range(0, 3).Select(m => new { name = $"data{m}", mountPath = $"/data/{m}" }),
                    livenessProbe = new { exec = new { command = new[] { "mysqladmin", "ping" } }, periodSeconds = 10, timeoutSeconds = 5 },
                }),
                restartPolicy = "Always",
                schedulerName = "default-scheduler",
                tolerations = Enumerable.Range(0, 2).Select(t => new { key = $"node.kubernetes.io/{t}", @operator = "Exists", effect = "NoExecute", tolerationSeconds = 300 }),
            },
            status = new { },
        };
        return JsonSerializer.SerializeToUtf8Bytes(new
        {
            kind = "AdmissionReview",
            apiVersion = "admission.k8s.io/v1",
            request = new
            {
                uid = Guid.NewGuid().ToString(),
                kind = new { group = "", version = "v1", kind = "Pod" },
                resource = new { group = "", version = "v1", resource = "pods" },
                @namespace = ClusterObjects.Namespace,
                operation = "CREATE",
                userInfo = new { username = "system:serviceaccount:kube-system:statefulset-controller" },
                @object = pod,
                oldObject = (object?)null,
                dryRun = false,
            },
        });
    }
}
