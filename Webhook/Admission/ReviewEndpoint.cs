using System.Buffers;
using Carina.Webhook.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Carina.Webhook.Admission;

/// <summary>The HTTP side: takes the review in, within limits, and sends the answer.</summary>
internal sealed partial class ReviewEndpoint(
    ReviewHandler handler, IOptions<WebhookOptions> options, ILogger<ReviewEndpoint> logger)
{
    private const int FirstBuffer = 16 * 1024;

    public async Task HandleAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var stop = context.RequestAborted;
        if (!context.Request.HasJsonContentType())
        {
            await RefuseAsync(
                context, StatusCodes.Status415UnsupportedMediaType, "An AdmissionReview comes as application/json.")
                .ConfigureAwait(false);
            return;
        }

        var body = ArrayPool<byte>.Shared.Rent(FirstBuffer);
        try
        {
            int length;
            (body, length) = await ReadAsync(context.Request, body, stop).ConfigureAwait(false);
            if (length > options.Value.MaxReviewBytes)
            {
                await RefuseAsync(
                    context, StatusCodes.Status413PayloadTooLarge,
                    $"The body is larger than {options.Value.MaxReviewBytes} bytes; no AdmissionReview of a pod is.")
                    .ConfigureAwait(false);
                return;
            }

            var answer = new ArrayBufferWriter<byte>(1024);
            await handler.AnswerAsync(body.AsMemory(0, length), answer, stop).ConfigureAwait(false);
            context.Response.ContentType = "application/json";
            context.Response.ContentLength = answer.WrittenCount;
            await context.Response.BodyWriter.WriteAsync(answer.WrittenMemory, stop).ConfigureAwait(false);
        }
        catch (AdmissionFormatException exception)
        {
            LogRefused(exception.Message);
            await RefuseAsync(context, StatusCodes.Status400BadRequest, exception.Message).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(body);
        }
    }

    /// <summary>Reads the body, or one byte more than is allowed.</summary>
    private async ValueTask<(byte[] Body, int Length)> ReadAsync(HttpRequest request, byte[] body, CancellationToken stop)
    {
        var limit = options.Value.MaxReviewBytes;
        if (request.ContentLength > limit)
        {
            return (body, limit + 1);
        }

        var length = 0;
        while (length <= limit)
        {
            if (length == body.Length)
            {
                var larger = ArrayPool<byte>.Shared.Rent(body.Length * 2);
                body.AsSpan(0, length).CopyTo(larger);
                ArrayPool<byte>.Shared.Return(body);
                body = larger;
            }

            var read = await request.Body.ReadAsync(body.AsMemory(length), stop).ConfigureAwait(false);
            if (read == 0)
            {
                break;
            }

            length += read;
        }

        return (body, length);
    }

    private static Task RefuseAsync(HttpContext context, int status, string sentence)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(sentence + "\n", context.RequestAborted);
    }

    [LoggerMessage(1, LogLevel.Warning, "Refused what is not an AdmissionReview of a pod: {Reason}")]
    private partial void LogRefused(string reason);
}
