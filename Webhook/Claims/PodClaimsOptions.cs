namespace Carina.Webhook.Claims;

/// <summary>How claims are found.</summary>
public sealed class PodClaimsOptions
{
    /// <summary>How long a StatefulSet's claim templates, which cannot be changed, are remembered.</summary>
    public TimeSpan TemplateLifetime { get; set; } = TimeSpan.FromSeconds(30);
}
