using Carina.Kubernetes.Client;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Carina.Webhook.Lookup;

/// <summary>How objects that the watch has not brought (yet) are asked for.</summary>
public sealed class ApiLookupOptions
{
    /// <summary>How long one question may take. Somebody waits for the answer.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMilliseconds(500);
}

/// <summary>Asks the API server once, for a limited time, and does without an answer when there is none.</summary>
internal sealed partial class ApiLookup(IOptions<ApiLookupOptions> options, TimeProvider time, ILogger<ApiLookup> logger)
{
    /// <summary>Null when there is no such object, or nobody can say.</summary>
    /// <param name="what">What is asked for, for the log.</param>
    /// <param name="read">The request.</param>
    /// <param name="stop">Ends the question early; this one throws.</param>
    public async ValueTask<T?> AskAsync<T>(string what, Func<CancellationToken, Task<T>> read, CancellationToken stop)
        where T : class
    {
        using var timeout = new CancellationTokenSource(options.Value.Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, timeout.Token);
        try
        {
            return await read(either.Token).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            return null;
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            LogUnanswered(what, $"no answer within {options.Value.Timeout.TotalMilliseconds} ms");
            return null;
        }
        catch (Exception exception) when (exception.IsUnreachable() || exception.IsForbidden())
        {
            LogUnanswered(what, exception.Describe());
            return null;
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Cannot ask the API server for {What}: {Reason}")]
    private partial void LogUnanswered(string what, string reason);
}
