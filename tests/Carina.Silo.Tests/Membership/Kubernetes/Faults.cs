using System.Collections.Concurrent;
using System.Net;

namespace Carina.Silo.Tests.Membership.Kubernetes;

/// <summary>Stands between a client and the real API server: lets pass, loses, delays, refuses or rewrites.</summary>
internal sealed class Faults : DelegatingHandler
{
    public delegate Task<HttpResponseMessage> Pass(HttpRequestMessage request, CancellationToken cancellationToken);

    private readonly ConcurrentQueue<string> _requests = new();

    /// <summary>What happens to a request; lets everything pass until it is set.</summary>
    public Func<HttpRequestMessage, Pass, CancellationToken, Task<HttpResponseMessage>> Rule { get; set; } =
        (request, pass, stop) => pass(request, stop);

    /// <summary>Method, path and query of all requests so far.</summary>
    public IReadOnlyCollection<string> Requests => _requests;

    /// <summary>Does something to the first so many requests that fit, and lets all others pass.</summary>
    public void Next(
        int count,
        Func<HttpRequestMessage, bool> fits,
        Func<HttpRequestMessage, Pass, CancellationToken, Task<HttpResponseMessage>> fault)
    {
        var left = count;
        Rule = (request, pass, stop) =>
            fits(request) && Interlocked.Decrement(ref left) >= 0 ? fault(request, pass, stop) : pass(request, stop);
    }

    public static bool IsWrite(HttpRequestMessage request) => request.Method == HttpMethod.Put;

    public static bool IsWatch(HttpRequestMessage request) =>
        request.RequestUri!.Query.Contains("watch=true", StringComparison.Ordinal);

    /// <summary>The API server acts, but nobody hears it.</summary>
    public static async Task<HttpResponseMessage> LoseAnswerAsync(
        HttpRequestMessage request, Pass pass, CancellationToken stop)
    {
        using var answer = await pass(request, stop);
        throw new HttpRequestException($"The answer {(int)answer.StatusCode} was lost.", new IOException("connection reset"));
    }

    public static Task<HttpResponseMessage> RefuseAsync(
        HttpRequestMessage request, HttpStatusCode status, TimeSpan? retryAfter = null)
    {
        var answer = new HttpResponseMessage(status)
        {
            RequestMessage = request,
            Content = new StringContent("""{"kind":"Status","apiVersion":"v1","status":"Failure","message":"refused by the test"}"""),
        };
        answer.Headers.RetryAfter = retryAfter is { } wait ? new(wait) : null;
        return Task.FromResult(answer);
    }

    protected override Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken)
    {
        _requests.Enqueue($"{request.Method} {request.RequestUri!.PathAndQuery}");
        return Rule(request, base.SendAsync, cancellationToken);
    }
}
