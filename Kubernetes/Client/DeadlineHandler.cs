using System.Net.Sockets;

namespace Carina.Kubernetes.Client;

/// <summary>
/// Gives every request one deadline over all its repeats and its whole answer. A watch must begin to answer by then;
/// how long it goes on is its caller's affair.
/// </summary>
/// <remarks>
/// The client library reads an answer's body with blocking calls that nothing can cancel: an API server that stops in
/// the middle would hold a thread for ever. So the body is taken in here.
/// </remarks>
internal sealed class DeadlineHandler(TimeSpan limit, TimeProvider time) : DelegatingHandler
{
    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var clock = new CancellationTokenSource(limit, time);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, clock.Token);
        HttpResponseMessage? response = null;
        try
        {
            response = await base.SendAsync(request, deadline.Token).ConfigureAwait(false);
            if (!IsWatch(request))
            {
                await response.Content.LoadIntoBufferAsync(deadline.Token).ConfigureAwait(false);
            }

            return response;
        }
        catch (Exception exception)
        {
            response?.Dispose();
            if (clock.IsCancellationRequested && !cancellationToken.IsCancellationRequested
                && exception is OperationCanceledException or HttpRequestException or IOException or SocketException)
            {
                throw new TimeoutException(
                    $"The API server did not answer {request.Method} {request.RequestUri?.AbsolutePath} within {limit.TotalSeconds:0.#} s; whether it acted on it is not known.",
                    exception);
            }

            throw;
        }
    }

    private static bool IsWatch(HttpRequestMessage request) =>
        request.RequestUri is { Query: var query }
        && (query.Contains("?watch=true", StringComparison.OrdinalIgnoreCase)
            || query.Contains("&watch=true", StringComparison.OrdinalIgnoreCase));
}
