using System.Net;
using Carina.Grains;

namespace Carina.Webhook.Hosting;

/// <summary>What happens to pods whose claim does not exist yet, when nothing says what it will be.</summary>
public enum UnknownClaims
{
    /// <summary>
    /// Nothing: the claim may be another driver's. The default scheduler waits for it, and knows the capacity of
    /// Carina's nodes too.
    /// </summary>
    Leave,

    /// <summary>
    /// They go to <c>carina-scheduler</c>, which treats volumes of other drivers as the default scheduler does. For
    /// clusters whose operators make pods before claims; where that scheduler is not deployed such pods stay pending.
    /// </summary>
    Schedule,
}

/// <summary>Settings of the webhook.</summary>
public sealed class WebhookOptions
{
    /// <summary>Address to listen at.</summary>
    public IPAddress Address { get; set; } = IPAddress.IPv6Any;

    /// <summary>Port to listen at; 0 for any that is free.</summary>
    public int Port { get; set; } = 8443;

    /// <summary>Scheduler that pods with Carina's volumes get.</summary>
    public string SchedulerName { get; set; } = CarinaNames.Scheduler;

    /// <inheritdoc cref="Hosting.UnknownClaims"/>
    public UnknownClaims UnknownClaims { get; set; } = UnknownClaims.Leave;

    /// <summary>
    /// Time to decide about a pod, before it is admitted as it is. Less than the <c>timeoutSeconds</c> of the
    /// configuration, so that it is us who say so.
    /// </summary>
    public TimeSpan DecisionTimeout { get; set; } = TimeSpan.FromSeconds(1.5);

    /// <summary>Largest review that is read. The API server takes objects up to 3 MiB.</summary>
    public int MaxReviewBytes { get; set; } = 3 << 20;

    /// <summary>Name of the Service that the API server finds us by; certificates are made for it.</summary>
    public string ServiceName { get; set; } = "carina-controller";

    /// <summary>Namespace of Service and Secret; empty means the driver's own.</summary>
    public string Namespace { get; set; } = "";

    /// <summary>Further names or addresses for certificates.</summary>
    public IReadOnlyList<string> ExtraNames { get; set; } = [];

    /// <summary>
    /// Name of the MutatingWebhookConfiguration that gets our authority's certificate; empty where there is none, and only
    /// the scheduler calls.
    /// </summary>
    public string ConfigurationName { get; set; } = "carina-hook";

    /// <summary>Name of the Secret with certificate and keys.</summary>
    public string SecretName { get; set; } = "mutatingwebhook";

    /// <summary>
    /// Directory with <c>tls.crt</c> and <c>tls.key</c>, or <c>cert</c> and <c>key</c>, that somebody else keeps; empty
    /// means the Secret.
    /// </summary>
    public string CertificateDirectory { get; set; } = "";

    /// <summary>
    /// The Secret is somebody else's to write. A Secret that cert-manager annotated is always treated so.
    /// </summary>
    public bool ExternalCertificates { get; set; }

    /// <summary>How long an authority of ours is valid.</summary>
    public TimeSpan AuthorityLifetime { get; set; } = TimeSpan.FromDays(3650);

    /// <summary>How long a certificate of ours is valid; it is renewed after two thirds.</summary>
    public TimeSpan CertificateLifetime { get; set; } = TimeSpan.FromDays(365);

    /// <summary>
    /// Pause between the steps of a change of authorities: API servers and replicas must have seen one before the next.
    /// </summary>
    public TimeSpan SettleTime { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How often files in <see cref="CertificateDirectory"/> are looked at.</summary>
    public TimeSpan FileCheckInterval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Refuses settings that cannot work, at start.</summary>
    /// <exception cref="ArgumentException">Says which setting and why.</exception>
    internal void Validate()
    {
        foreach (var (setting, value) in new[]
        {
            (nameof(SchedulerName), SchedulerName),
            (nameof(ServiceName), ServiceName),
            (nameof(ConfigurationName), ConfigurationName),
            (nameof(SecretName), SecretName),
        })
        {
            if (setting == nameof(ConfigurationName) && value.Length == 0)
            {
                continue;
            }

            if (value.Length is 0 or > 253 || !value.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '.'))
            {
                throw new ArgumentException(
                    $"{setting} is '{value}', which is no name of a Kubernetes object: lower-case letters, digits, '-' and '.'.");
            }
        }

        RequirePositive(nameof(DecisionTimeout), DecisionTimeout);
        RequirePositive(nameof(AuthorityLifetime), AuthorityLifetime);
        RequirePositive(nameof(CertificateLifetime), CertificateLifetime);
        RequirePositive(nameof(SettleTime), SettleTime);
        RequirePositive(nameof(FileCheckInterval), FileCheckInterval);
        if (Port is < 0 or > IPEndPoint.MaxPort || MaxReviewBytes is < 1024 or > 64 << 20)
        {
            throw new ArgumentException($"Port ({Port}) or MaxReviewBytes ({MaxReviewBytes}) is out of range.");
        }
    }

    private static void RequirePositive(string setting, TimeSpan value)
    {
        if (value <= TimeSpan.Zero)
        {
            throw new ArgumentException($"{setting} is {value}; it must be longer than nothing.");
        }
    }
}
