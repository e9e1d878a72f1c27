using Carina.Webhook.Claims;

namespace Carina.Webhook.Certificates;

/// <summary>Whether the API server can use this webhook.</summary>
public interface IWebhookReadiness
{
    /// <summary>What stands in the way, as a sentence; empty when nothing does.</summary>
    string Obstacle { get; }
}

/// <inheritdoc cref="IWebhookReadiness"/>
internal sealed class WebhookReadiness(IPodClaims claims) : IWebhookReadiness
{
    private volatile string _certificates = "The webhook's certificate has not been loaded yet.";

    public string Obstacle =>
        _certificates.Length > 0 ? _certificates
        : !claims.Synced.IsCompletedSuccessfully ? "Claims, volumes and StorageClasses have not been listed yet."
        : "";

    /// <summary>Says what is wrong with the certificates; empty when nothing is.</summary>
    public void Report(string certificates) => _certificates = certificates;
}
