using System.Text;
using System.Text.Json.Nodes;
using Carina.Webhook.Admission;
using Carina.Webhook.Tests.Hosting;
using CsCheck;

namespace Carina.Webhook.Tests.Admission;

/// <summary>Whatever comes: a review in answer, or a sentence; never a fault, never a denial.</summary>
public sealed class ReviewProperties : IDisposable
{
    private static readonly Gen<string> _word = Gen.OneOf(
        "", "data", "foreign", "missing", "default-scheduler", "carina-scheduler", "AdmissionReview", "CREATE", "pods", "v1", "\u0000", "ключ",
        "carina.storage.io/custom-scheduler-plugin", "carina.storage.io/allow-pod-migration-if-node-notready", "1Gi", "-1", "1e99");

    private static readonly Gen<string> _key = Gen.OneOf(
        _word,
        Gen.OneOf(
            "kind", "apiVersion", "request", "uid", "object", "metadata", "spec", "volumes", "annotations", "schedulerName", "resource",
            "ephemeral", "volumeClaimTemplate", "persistentVolumeClaim", "claimName", "ownerReferences", "controller", "resources", "requests"));

    private static readonly Gen<JsonNode?> _leaf = Gen.OneOf(
        _word.Select(w => (JsonNode?)JsonValue.Create(w)),
        Gen.Double.Where(double.IsFinite).Select(d => (JsonNode?)JsonValue.Create(d)),
        Gen.Bool.Select(b => (JsonNode?)JsonValue.Create(b)),
        Gen.Const((JsonNode?)null));

    private static readonly Gen<JsonNode?> _json = Gen.Recursive<JsonNode?>((depth, next) => depth > 3
        ? _leaf
        : Gen.OneOf(
            _leaf,
            next.Array[0, 3].Select(items => (JsonNode?)new JsonArray([.. items.Select(i => i?.DeepClone())])),
            Gen.Select(_key, next).Array[0, 4].Select(fields => (JsonNode?)ObjectOf(fields))));

    private const int Iterations = 2000;
    private readonly ClaimWorld _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public Task Random_bytes_are_refused_or_answered() =>
        Gen.Byte.Array[0, 200].SampleAsync(async bytes => { await RequireAnswerOrSentenceAsync(bytes); }, iter: Iterations, threads: 1);

    [Fact]
    public Task Random_json_is_refused_or_answered() =>
        _json.SampleAsync(async json => { await RequireAnswerOrSentenceAsync(BytesOf(json)); }, iter: Iterations, threads: 1);

    /// <summary>A good review with random damage: deeper than pure chance gets.</summary>
    [Fact]
    public Task Damaged_reviews_are_refused_or_answered() =>
        Gen.Select(Gen.Int[0, 10_000], _json).SampleAsync(
            async (place, json) =>
            {
                JsonObject review = Reviews.Of(Reviews.Pod("data", "foreign").WithAnnotation("a", "b").WithEphemeral(
                    "tmp", new() { ["storageClassName"] = "csi-carina-sc", ["resources"] = new JsonObject { ["requests"] = new JsonObject { ["storage"] = "1Gi" } } }));
                Damage(review, place, json);
                await RequireAnswerOrSentenceAsync(BytesOf(review));
            },
            iter: Iterations, threads: 1);

    /// <summary>Every pod keeps everything but our two fields, gets what it should, and is finished after once.</summary>
    [Fact]
    public Task Pods_change_as_they_should() =>
        Gen.Select(
            Gen.OneOf("data", "foreign").Array[0, 3],
            Gen.OneOf<string?>(null, "", "default-scheduler", "volcano", "carina-scheduler"),
            Gen.Select(_word.Where(w => w.Length > 0), _word).Array[0, 3]).SampleAsync(
            async (claims, scheduler, annotations) =>
            {
                var pod = Reviews.Pod(claims).WithScheduler(scheduler);
                foreach (var (key, value) in annotations)
                {
                    pod.WithAnnotation(key, value);
                }

                var changed = await _world.MutateAsync(pod);
                var wanted = claims.Contains("data") && scheduler is null or "" or "default-scheduler"
                    && pod.Annotation("carina.storage.io/custom-scheduler-plugin") is null;
                Assert.Equal(wanted ? "carina-scheduler" : scheduler, changed.Scheduler());
                Assert.Null((await _world.AskAsync(Reviews.Of(changed))).Patch);
                changed.WithScheduler(scheduler);
                Assert.True(JsonNode.DeepEquals(pod, changed));
            },
            iter: Iterations, threads: 1);

    private async Task RequireAnswerOrSentenceAsync(byte[] body)
    {
        try
        {
            var answer = await _world.AskAsync(body);
            Assert.True(answer.Allowed);
            Assert.NotEmpty(answer.Uid);
            Assert.DoesNotContain(answer.Warnings, w => w.Contains("could not decide", StringComparison.Ordinal));
        }
        catch (AdmissionFormatException refusal)
        {
            Assert.NotEmpty(refusal.Message);
        }
    }

    private static void Damage(JsonNode root, int place, JsonNode? with)
    {
        var places = new List<(JsonNode Parent, object Key)>();
        Collect(root, places);
        var (parent, key) = places[place % places.Count];
        if (parent is JsonArray list)
        {
            list[(int)key] = with?.DeepClone();
        }
        else
        {
            parent[(string)key] = with?.DeepClone();
        }
    }

    private static void Collect(JsonNode node, List<(JsonNode, object)> places)
    {
        var children = node is JsonArray list
            ? list.Select((child, i) => ((object)i, child))
            : ((JsonObject)node).Select(field => ((object)field.Key, field.Value));
        foreach (var (key, child) in children)
        {
            places.Add((node, key));
            if (child is JsonArray or JsonObject)
            {
                Collect(child, places);
            }
        }
    }

    private static JsonObject ObjectOf((string Key, JsonNode? Value)[] fields)
    {
        var result = new JsonObject();
        foreach (var (key, value) in fields)
        {
            result[key] = value?.DeepClone();
        }

        return result;
    }

    private static byte[] BytesOf(JsonNode? json) => Encoding.UTF8.GetBytes(json?.ToJsonString() ?? "null");
}
