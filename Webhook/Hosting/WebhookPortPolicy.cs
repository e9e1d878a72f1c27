using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Matching;

namespace Carina.Webhook.Hosting;

/// <summary>
/// Keeps ports apart: what is meant for the webhook's port is found there only, and nothing else is. By the connection,
/// not by the Host header, which the caller writes.
/// </summary>
internal sealed class WebhookPortPolicy : MatcherPolicy, IEndpointSelectorPolicy
{
    public override int Order => 0;

    public bool AppliesToEndpoints(IReadOnlyList<Endpoint> endpoints) => true;

    public Task ApplyAsync(HttpContext httpContext, CandidateSet candidates)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        ArgumentNullException.ThrowIfNull(candidates);
        var isWebhook = WebhookConnection.IsMarked(httpContext.Features);
        for (var i = 0; i < candidates.Count; i++)
        {
            if (candidates.IsValidCandidate(i)
                && candidates[i].Endpoint?.Metadata.GetMetadata<WebhookPortMetadata>() is not null != isWebhook)
            {
                candidates.SetValidity(i, false);
            }
        }

        return Task.CompletedTask;
    }
}

/// <summary>Marks endpoints of the webhook's port.</summary>
internal sealed class WebhookPortMetadata;

/// <summary>Binds endpoints to the webhook's port.</summary>
public static class WebhookPortExtensions
{
    /// <summary>
    /// The endpoint answers on the port of <see cref="WebhookListenExtensions"/> only. All other endpoints of the process
    /// do not answer there.
    /// </summary>
    public static T OnWebhookPort<T>(this T builder)
        where T : IEndpointConventionBuilder => builder.WithMetadata(new WebhookPortMetadata());
}
