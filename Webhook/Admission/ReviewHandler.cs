using System.Buffers;
using System.Text.Json;
using Carina.Webhook.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Carina.Webhook.Admission;

/// <summary>
/// Answers AdmissionReviews: from bytes to bytes, without HTTP. It changes nothing outside itself, so dry runs need no
/// care (<c>sideEffects: None</c>), and asked again about its own result it finds nothing more to change.
/// </summary>
internal sealed partial class ReviewHandler(
    PodMutator mutator, IOptions<WebhookOptions> options, TimeProvider time, ILogger<ReviewHandler> logger)
{
    /// <summary>Writes the answer.</summary>
    /// <exception cref="AdmissionFormatException">The body is no AdmissionReview; the message says why.</exception>
    public async ValueTask AnswerAsync(ReadOnlyMemory<byte> body, IBufferWriter<byte> output, CancellationToken stop)
    {
        using var document = Parse(body);
        var (request, pod) = Read(document.RootElement);
        if (pod is null)
        {
            AdmissionAnswer.Write(
                output, request, [], "",
                $"Carina's webhook looks at the creation of pods only, not at {request.Subject}; see the rules of its MutatingWebhookConfiguration.");
            return;
        }

        try
        {
            using var deadline = new CancellationTokenSource(options.Value.DecisionTimeout, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, deadline.Token);
            var mutation = await mutator.DecideAsync(pod, either.Token).ConfigureAwait(false);
            LogDecision(pod.Outline.Namespace, pod.Outline.Name, mutation.Decision);
            AdmissionAnswer.Write(
                output, request, mutation.IsEmpty ? [] : mutation.ToPatch(pod.HasAnnotations), mutation.Decision, "");
        }
        catch (Exception exception) when (!stop.IsCancellationRequested)
        {
            // Whatever is wrong with us, the pod is not to blame.
            LogFailed(exception, pod.Outline.Namespace, pod.Outline.Name);
            AdmissionAnswer.Write(
                output, request, [], "left alone: the webhook failed",
                "Carina's webhook could not decide about this pod and left it as it is; its log says why.");
        }
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            return JsonDocument.Parse(body);
        }
        catch (JsonException exception)
        {
            throw new AdmissionFormatException($"The body is not JSON: {exception.Message}");
        }
    }

    private static (AdmissionRequest Request, AdmittedPod? Pod) Read(JsonElement root)
    {
        try
        {
            var request = AdmissionRequest.Read(root);
            return !request.IsPodCreation ? (request, null)
                : request.Object is { } pod ? (request, AdmittedPod.Read(pod, request.Namespace))
                : throw new AdmissionFormatException("request.object is missing; the creation of a pod comes with the pod.");
        }
        catch (InvalidOperationException exception)
        {
            // What System.Text.Json says of text that is no Unicode.
            throw new AdmissionFormatException($"The body holds text that is not valid: {exception.Message}");
        }
    }

    [LoggerMessage(1, LogLevel.Debug, "Pod {Namespace}/{Pod}: {Decision}")]
    private partial void LogDecision(string @namespace, string pod, string decision);

    [LoggerMessage(2, LogLevel.Error, "Could not decide about pod {Namespace}/{Pod}; it is admitted as it is")]
    private partial void LogFailed(Exception exception, string @namespace, string pod);
}
