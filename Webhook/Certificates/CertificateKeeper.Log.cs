using Microsoft.Extensions.Logging;

namespace Carina.Webhook.Certificates;

internal sealed partial class CertificateKeeper
{
    [LoggerMessage(1, LogLevel.Information, "{Reason}; written to {Place}")]
    private partial void LogStep(string reason, string place);

    [LoggerMessage(2, LogLevel.Information, "Another replica changed {Place} at the same time; reads it again")]
    private partial void LogOvertaken(string place);

    [LoggerMessage(3, LogLevel.Information, "Serves the certificate {Subject}, valid until {Until}")]
    private partial void LogServing(string subject, DateTime until);

    [LoggerMessage(4, LogLevel.Information, "Told MutatingWebhookConfiguration {Name} to trust {Authorities}")]
    private partial void LogPublished(string name, string authorities);

    [LoggerMessage(5, LogLevel.Error, "Cannot keep the webhook's certificates: {Reason} Tries again in {Pause}.")]
    private partial void LogFailed(string reason, TimeSpan pause);

    [LoggerMessage(6, LogLevel.Warning, "The webhook is not ready: {Obstacle}")]
    private partial void LogNotReady(string obstacle);

    [LoggerMessage(7, LogLevel.Information, "The webhook's certificate is in order")]
    private partial void LogReady();
}
