namespace Carina.Webhook.Claims;

/// <summary>How claims are found.</summary>
public sealed class PodClaimsOptions
{
    /// <summary>How long to ask for an object that the watch has not brought (yet).</summary>
    public TimeSpan LookupTimeout { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How long a StatefulSet's claim templates, which cannot be changed, are remembered.</summary>
    public TimeSpan TemplateLifetime { get; set; } = TimeSpan.FromSeconds(30);
}
