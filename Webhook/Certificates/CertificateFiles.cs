using Carina.Webhook.Hosting;
using Microsoft.Extensions.Options;

namespace Carina.Webhook.Certificates;

/// <summary>
/// Certificates in a directory, as a mounted Secret or a node's administrator keeps them. Looked at from time to time:
/// the kubelet swaps links, which inotify reports on the wrong file.
/// </summary>
internal sealed class CertificateFiles(IOptions<WebhookOptions> options) : ICertificateStore
{
    private const int LargestFile = 1 << 20;

    private static readonly string[] _names =
    [
        CertificateSet.CertificateKey, CertificateSet.PrivateKeyKey, CertificateSet.AuthoritiesKey,
        CertificateSet.LegacyCertificateKey, CertificateSet.LegacyPrivateKeyKey, CertificateSet.LegacyAuthoritiesKey,
    ];

    public TimeSpan? CheckInterval => options.Value.FileCheckInterval;

    public async Task<StoredCertificates> ReadAsync(CancellationToken cancellationToken)
    {
        var directory = options.Value.CertificateDirectory;
        var data = new Dictionary<string, byte[]>();
        foreach (var name in _names)
        {
            var file = new FileInfo(Path.Combine(directory, name));
            if (file.Exists && file.Length <= LargestFile)
            {
                data[name] = await File.ReadAllBytesAsync(file.FullName, cancellationToken).ConfigureAwait(false);
            }
        }

        return new($"directory {directory}", data, DateTimeOffset.MinValue, null);
    }
}
