using System.Text;
using Carina.Webhook.Admission;
using Carina.Webhook.Tests.Hosting;

namespace Carina.Webhook.Tests.Admission;

/// <summary>What comes as a review, and how it is answered.</summary>
public sealed class ReviewTests : IDisposable
{
    private readonly ClaimWorld _world = new();

    public static TheoryData<string, string> Malformed => new()
    {
        { "", "not JSON" },
        { "{", "not JSON" },
        { "hello", "not JSON" },
        { "[]", "a list" },
        { "null", "nothing" },
        { "7", "a number" },
        { "{}", "review.kind" },
        { """{"kind":"Pod","apiVersion":"v1"}""", "review.kind is 'Pod'" },
        { """{"kind":7,"apiVersion":"admission.k8s.io/v1"}""", "review.kind is a number" },
        { """{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v2","request":{"uid":"1"}}""", "admission.k8s.io/v2" },
        { """{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}""", "review.request is missing" },
        { """{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":null}""", "review.request is missing" },
        { """{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":[]}""", "review.request is a list" },
        { """{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{}}""", "request.uid is missing" },
        { """{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"\ud800"}}""", "not valid" },
        { Pod("null"), "request.object is missing" },
        { Pod("[]"), "request.object is a list" },
        { Pod("{}"), "object.metadata is missing" },
        { Pod("""{"metadata":{}}"""), "object.spec is missing" },
        { Pod("""{"metadata":[],"spec":{}}"""), "object.metadata is a list" },
        { Pod("""{"metadata":{"annotations":[]},"spec":{}}"""), "object.metadata.annotations is a list" },
        { Pod("""{"metadata":{},"spec":{"volumes":{}}}"""), "object.spec.volumes is an object" },
        { Pod("""{"metadata":{},"spec":{"volumes":[7]}}"""), "object.spec.volumes holds a number" },
        { Pod("""{"metadata":{},"spec":{"schedulerName":[]}}"""), "object.spec.schedulerName is a list" },
        { Pod("""{"metadata":{},"spec":{"volumes":[{"ephemeral":{"volumeClaimTemplate":{"spec":7}}}]}}"""), "volumeClaimTemplate" },
        { new string('[', 5000), "not JSON" },
    };

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData("admission.k8s.io/v1")]
    [InlineData("admission.k8s.io/v1beta1")]
    public async Task The_answer_has_the_questions_version_and_uid(string version)
    {
        var answer = await _world.AskAsync(Reviews.Of(Reviews.Pod("data"), version));
        Assert.Equal((version, Reviews.Uid, "AdmissionReview"), (answer.ApiVersion, answer.Uid, answer.Review["kind"]!.GetValue<string>()));
        Assert.NotNull(answer.Patch);
    }

    [Theory]
    [MemberData(nameof(Malformed))]
    public async Task What_is_no_review_is_refused_with_the_field(string body, string reason)
    {
        var refusal = await Assert.ThrowsAsync<AdmissionFormatException>(() => _world.AskAsync(Encoding.UTF8.GetBytes(body)));
        Assert.Contains(reason, refusal.Message, StringComparison.Ordinal);
        Assert.True(refusal.Message.Length < 500, refusal.Message);
    }

    [Theory]
    [InlineData("operation", "UPDATE")]
    [InlineData("operation", "DELETE")]
    [InlineData("operation", "CONNECT")]
    [InlineData("operation", "")]
    [InlineData("subResource", "status")]
    [InlineData("subResource", "ephemeralcontainers")]
    [InlineData("resource/resource", "deployments")]
    [InlineData("resource/group", "apps")]
    [InlineData("resource/version", "v2")]
    public async Task Other_things_are_allowed_unchanged_with_a_warning(string field, string value)
    {
        var review = Reviews.Of(Reviews.Pod("data"));
        var path = field.Split('/');
        var parent = path.Length == 1 ? review["request"]! : review["request"]![path[0]]!;
        parent[path[^1]] = value;
        var answer = await _world.AskAsync(review);
        Assert.True(answer.Allowed);
        Assert.Null(answer.Patch);
        Assert.Contains("creation of pods only", Assert.Single(answer.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deletion_without_object_is_answered()
    {
        var review = Reviews.Of(Reviews.Pod("data"));
        review["request"]!["operation"] = "DELETE";
        review["request"]!["object"] = null;
        Assert.True((await _world.AskAsync(review)).Allowed);
    }

    [Fact]
    public async Task A_dry_run_is_answered_the_same()
    {
        var review = Reviews.Of(Reviews.Pod("data"));
        review["request"]!["dryRun"] = true;
        Assert.NotNull((await _world.AskAsync(review)).Patch);
    }

    private static string Pod(string json) =>
        """{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"1","operation":"CREATE","namespace":"team","resource":{"group":"","version":"v1","resource":"pods"},"object":"""
        + json + "}}";
}
