using System.Net;
using System.Text.Json;
using k8s;
using k8s.Autorest;

namespace Carina.Kubernetes.Client;

/// <summary>What a failed request to the Kubernetes API means.</summary>
public static class ApiFailure
{
    /// <summary>There is no such object, or no such resource.</summary>
    public static bool IsNotFound(this Exception exception) => HasStatus(exception, HttpStatusCode.NotFound);

    /// <summary>
    /// The object is at another version, or exists already, or a precondition (uid, resourceVersion) does not hold: 409.
    /// </summary>
    public static bool IsConflict(this Exception exception) => HasStatus(exception, HttpStatusCode.Conflict);

    /// <summary>The version that a list or watch starts at is compacted away: list anew.</summary>
    public static bool IsGone(this Exception exception) => HasStatus(exception, HttpStatusCode.Gone);

    /// <summary>This service account may not do that.</summary>
    public static bool IsForbidden(this Exception exception) => HasStatus(exception, HttpStatusCode.Forbidden);

    /// <summary>The object was refused for what it contains: 400, 422.</summary>
    public static bool IsInvalid(this Exception exception) =>
        HasStatus(exception, HttpStatusCode.BadRequest) || HasStatus(exception, HttpStatusCode.UnprocessableEntity);

    /// <summary>
    /// The API server cannot be reached or cannot answer now. Whether it acted on the request is unknown.
    /// </summary>
    public static bool IsUnreachable(this Exception exception) => exception is HttpRequestException or IOException or TimeoutException
        || (exception is TaskCanceledException { InnerException: TimeoutException })
        || (exception is HttpOperationException { Response: { } response }
            && ((int)response.StatusCode >= 500 || response.StatusCode == HttpStatusCode.TooManyRequests));

    /// <summary>One line for a person: what the API server said, or why it could not be asked.</summary>
    public static string Describe(this Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        if (exception is KubernetesException { Status: { } status })
        {
            return $"{status.Code} {status.Reason}: {status.Message}";
        }

        if (exception is not HttpOperationException { Response: { } response })
        {
            return exception.InnerException is { } inner ? $"{exception.Message} ({inner.Message})" : exception.Message;
        }

        return $"{(int)response.StatusCode} {response.ReasonPhrase}: {MessageOf(response.Content)}";
    }

    /// <summary>The object is larger than etcd or the API server takes (1.5 MiB and 3 MiB by default).</summary>
    public static bool IsTooLarge(this Exception exception) => HasStatus(exception, HttpStatusCode.RequestEntityTooLarge)
        || (exception is HttpOperationException { Response: { StatusCode: HttpStatusCode.InternalServerError, Content: { } content } }
            // etcd says the first, its client in the API server the second.
            && (content.Contains("request is too large", StringComparison.Ordinal)
                || content.Contains("trying to send message larger than max", StringComparison.Ordinal)));

    private static bool HasStatus(Exception exception, HttpStatusCode status) => exception switch
    {
        HttpOperationException { Response: { } response } => response.StatusCode == status,
        // In the middle of a watch.
        KubernetesException { Status: { } said } => said.Code == (int)status,
        _ => false,
    };

    // The body of an error is a Status object (Kubernetes API conventions, "Response Status Kind").
    private static string MessageOf(string? content)
    {
        if (string.IsNullOrWhiteSpace(content))
        {
            return "no message";
        }

        try
        {
            using var status = JsonDocument.Parse(content);
            return status.RootElement.ValueKind == JsonValueKind.Object
                && status.RootElement.TryGetProperty("message", out var message)
                    ? message.ToString()
                    : Shorten(content);
        }
        catch (JsonException)
        {
            return Shorten(content);
        }
    }

    private static string Shorten(string text) => text.Length > 300 ? text[..300] + "…" : text.Trim();
}
