using Microsoft.AspNetCore.Http.Features;

namespace Carina.Webhook.Hosting;

/// <summary>Marks connections that came in over the webhook's port.</summary>
internal sealed class WebhookConnection
{
    private static readonly WebhookConnection _mark = new();

    public static void Mark(IFeatureCollection features) => features.Set(_mark);

    public static bool IsMarked(IFeatureCollection features) => features.Get<WebhookConnection>() is not null;
}
