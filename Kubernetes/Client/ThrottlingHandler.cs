using System.Net;

namespace Carina.Kubernetes.Client;

/// <summary>
/// Waits and asks again where the API server says so: 429, and 503 with a Retry-After. It did not act on such a request
/// (a fresh custom resource's watch cache, priority and fairness), so repeating any verb is safe.
/// </summary>
internal sealed class ThrottlingHandler(TimeProvider time) : DelegatingHandler
{
    private const int MaxRepeats = 5;
    private static readonly TimeSpan _longestWait = TimeSpan.FromSeconds(5);

    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken)
    {
        // The content is read while it is sent: keep it for repeats.
        if (request.Content is not null)
        {
            await request.Content.LoadIntoBufferAsync(cancellationToken).ConfigureAwait(false);
        }

        for (var repeat = 0; ; repeat++)
        {
            var response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
            if (repeat == MaxRepeats || FindWait(response) is not { } wait)
            {
                return response;
            }

            response.Dispose();
            await Task.Delay(wait, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private TimeSpan? FindWait(HttpResponseMessage response)
    {
        var after = response.Headers.RetryAfter switch
        {
            { Delta: { } delta } => delta,
            { Date: { } date } => date - time.GetUtcNow(),
            _ => (TimeSpan?)null,
        };
        return response.StatusCode switch
        {
            HttpStatusCode.TooManyRequests => Limit(after ?? TimeSpan.FromSeconds(1)),
            HttpStatusCode.ServiceUnavailable when after is not null => Limit(after.Value),
            _ => null,
        };
    }

    private static TimeSpan Limit(TimeSpan wait) =>
        wait < TimeSpan.Zero ? TimeSpan.Zero : wait > _longestWait ? _longestWait : wait;
}
