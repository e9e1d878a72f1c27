using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Carina.Webhook.Certificates;

/// <summary>The certificate that new connections get. Swapped while connections go on with the one they have.</summary>
internal sealed class ServingCertificate
{
    private volatile SslStreamCertificateContext? _context;

    /// <summary>Null until there is one.</summary>
    public SslStreamCertificateContext? Context => _context;

    /// <summary>Whether that is the certificate in use.</summary>
    public bool Is(X509Certificate2 leaf) => _context is { } context && CertificateChain.Same(context.TargetCertificate, leaf);

    // The context is made once, not per handshake, and offline: nobody is asked for missing certificates.
    public void Use(X509Certificate2 leaf, IEnumerable<X509Certificate2> intermediates) =>
        _context = SslStreamCertificateContext.Create(leaf, [.. intermediates], offline: true);
}
