using System.Text.Json;
using Carina.Webhook.Scheduling.Protocol;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Carina.Webhook.Scheduling;

/// <summary>The extender's HTTP side.</summary>
internal sealed partial class SchedulerEndpoints(
    SchedulerExtender extender, IOptions<SchedulingOptions> options, TimeProvider time, ILogger<SchedulerEndpoints> logger)
{
    public void Map(IEndpointRouteBuilder endpoints)
    {
        endpoints.MapPost(WebhookPaths.Filter, context => AnswerAsync(context, FilterAsync));
        endpoints.MapPost(WebhookPaths.Prioritize, context => AnswerAsync(context, PrioritizeAsync));
    }

    private async Task<Action<Utf8JsonWriter>> FilterAsync(ExtenderRequest request, CancellationToken cancellationToken)
    {
        try
        {
            var result = await extender.FilterAsync(request, cancellationToken).ConfigureAwait(false);
            return writer => result.Write(writer, request);
        }
        catch (Exception exception) when (exception is not MalformedRequestException)
        {
            // The scheduler logs this field and shows it in the pod's events; of a status it shows the number only.
            var failed = new FilterResult { Error = $"carina: {Explain(request, exception)}" };
            return writer => failed.Write(writer, request);
        }
    }

    private async Task<Action<Utf8JsonWriter>> PrioritizeAsync(ExtenderRequest request, CancellationToken cancellationToken)
    {
        var priorities = await extender.PrioritizeAsync(request, cancellationToken).ConfigureAwait(false);
        return writer => HostPriority.Write(writer, priorities);
    }

    private async Task AnswerAsync(
        HttpContext context, Func<ExtenderRequest, CancellationToken, Task<Action<Utf8JsonWriter>>> answer)
    {
        using var limit = new CancellationTokenSource(options.Value.AnswerTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, limit.Token);
        ExtenderRequest? request = null;
        try
        {
            request = await ReadAsync(context, either.Token).ConfigureAwait(false);
            var write = await answer(request, either.Token).ConfigureAwait(false);
            context.Response.ContentType = "application/json";
            var writer = new Utf8JsonWriter(context.Response.BodyWriter);
            await using (writer.ConfigureAwait(false))
            {
                write(writer);
                await writer.FlushAsync(context.RequestAborted).ConfigureAwait(false);
            }
        }
        catch (MalformedRequestException exception)
        {
            LogMalformed(context.Request.Path, exception.Message);
            await RefuseAsync(context, StatusCodes.Status400BadRequest, exception.Message).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody is there any more.
        }
        catch (Exception exception) when (!context.Response.HasStarted)
        {
            await RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, Explain(request, exception)).ConfigureAwait(false);
        }
        finally
        {
            request?.Dispose();
        }
    }

    private async Task<ExtenderRequest> ReadAsync(HttpContext context, CancellationToken cancellationToken)
    {
        var largest = options.Value.MaxRequestBytes;
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } feature)
        {
            feature.MaxRequestBodySize = largest;
        }

        if (context.Request.ContentLength > largest)
        {
            throw TooLarge(largest);
        }

        try
        {
            return await ExtenderRequest.ReadAsync(context.Request.Body, cancellationToken).ConfigureAwait(false);
        }
        catch (BadHttpRequestException exception)
        {
            throw exception.StatusCode == StatusCodes.Status413PayloadTooLarge
                ? TooLarge(largest)
                : new MalformedRequestException($"The request did not arrive whole: {exception.Message}", exception);
        }
    }

    private static MalformedRequestException TooLarge(long largest) => new(
        $"The request has more than {largest} bytes; let the scheduler send names only (nodeCacheCapable: true).");

    private static async Task RefuseAsync(HttpContext context, int status, string sentence)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        await context.Response.WriteAsync(sentence, context.RequestAborted).ConfigureAwait(false);
    }

    private string Explain(ExtenderRequest? request, Exception exception)
    {
        var pod = request is null ? "?" : $"{request.Pod.Namespace}/{request.Pod.Name}";
        switch (exception)
        {
            case UndecidableException:
                LogUndecided(pod, exception.Message);
                return exception.Message;
            case OperationCanceledException or TimeoutException:
                LogUndecided(pod, "no answer in time");
                return $"the nodes' ledgers did not answer within {options.Value.AnswerTimeout.TotalSeconds:0.#} s; the pod is tried again";
            default:
                LogFailed(exception, pod);
                return "what is left on the nodes cannot be read at the moment; the log of carina-controller has the details";
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "A request to {Path} was refused: {Reason}")]
    private partial void LogMalformed(string path, string reason);

    [LoggerMessage(2, LogLevel.Warning, "Nothing can be said about pod {Pod} now: {Reason}")]
    private partial void LogUndecided(string pod, string reason);

    [LoggerMessage(3, LogLevel.Error, "Pod {Pod} could not be planned")]
    private partial void LogFailed(Exception exception, string pod);
}
