using System.Text.Json;

namespace Carina.Webhook.Admission;

/// <summary>What an AdmissionReview asks, as far as we look at it.</summary>
/// <param name="ApiVersion">The review's version, which the answer must have too.</param>
/// <param name="Uid">Identity of the question, which the answer must repeat.</param>
/// <param name="Subject">What is to be admitted, for messages: <c>CREATE of pods</c>.</param>
/// <param name="IsPodCreation">Whether a pod is about to be created.</param>
/// <param name="Namespace">Namespace of the object.</param>
/// <param name="Object">The object; null for deletions and connections.</param>
internal sealed record AdmissionRequest(
    string ApiVersion, string Uid, string Subject, bool IsPodCreation, string Namespace, JsonElement? Object)
{
    private static readonly string[] _versions = ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"];

    /// <summary>Reads it. The result is valid as long as the document is.</summary>
    /// <exception cref="AdmissionFormatException">That is no AdmissionReview of a version we speak.</exception>
    public static AdmissionRequest Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new AdmissionFormatException($"The body is {JsonFields.Describe(root.ValueKind)}, not an AdmissionReview.");
        }

        var kind = root.Text("kind", "review");
        if (kind != "AdmissionReview")
        {
            throw new AdmissionFormatException($"review.kind is '{Shorten(kind)}', not 'AdmissionReview'.");
        }

        var version = root.Text("apiVersion", "review");
        if (!_versions.Contains(version))
        {
            throw new AdmissionFormatException(
                $"review.apiVersion is '{Shorten(version)}'; this webhook speaks {string.Join(" and ", _versions)}.");
        }

        var request = root.FindObject("request", "review")
            ?? throw new AdmissionFormatException("review.request is missing; an AdmissionReview asks with it.");
        var uid = request.Text("uid", "request");
        if (uid.Length == 0)
        {
            throw new AdmissionFormatException("request.uid is missing; the answer must repeat it.");
        }

        var resource = request.FindObject("resource", "request");
        var group = resource?.Text("group", "request.resource") ?? "";
        var plural = resource?.Text("resource", "request.resource") ?? "";
        var part = request.Text("subResource", "request");
        var operation = request.Text("operation", "request");
        var isPod = group.Length == 0 && plural == "pods" && part.Length == 0
            && resource?.Text("version", "request.resource") == "v1";
        return new(
            version,
            uid,
            $"{Shorten(operation)} of {Shorten(plural + (group.Length > 0 ? "." + group : ""))}{(part.Length > 0 ? "/" + Shorten(part) : "")}",
            isPod && operation == "CREATE",
            request.Text("namespace", "request"),
            request.FindObject("object", "request"));
    }

    private static string Shorten(string text) => text.Length > 63 ? text[..63] + "…" : text;
}
