using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Carina.Webhook.Certificates;

/// <summary>Questions about certificates.</summary>
internal static class CertificateChain
{
    /// <summary>Whether somebody who trusts these authorities, and nobody else, trusts the certificate.</summary>
    public static bool Verifies(
        X509Certificate2 leaf,
        IEnumerable<X509Certificate2> authorities,
        IEnumerable<X509Certificate2> intermediates,
        DateTimeOffset now)
    {
        using var chain = new X509Chain();
        var policy = chain.ChainPolicy;
        policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        policy.CustomTrustStore.AddRange(authorities.ToArray());
        policy.ExtraStore.AddRange(intermediates.ToArray());
        policy.RevocationMode = X509RevocationMode.NoCheck;
        policy.DisableCertificateDownloads = true;
        policy.VerificationTime = now.LocalDateTime;
        return chain.Build(leaf);
    }

    /// <summary>When two thirds of its life are over.</summary>
    public static DateTimeOffset RenewalTime(this X509Certificate2 certificate)
    {
        DateTimeOffset from = certificate.NotBefore;
        return from + ((certificate.NotAfter - from) * 2 / 3);
    }

    public static bool IsValid(this X509Certificate2 certificate, DateTimeOffset now) =>
        now >= certificate.NotBefore && now < certificate.NotAfter;

    public static bool Same(X509Certificate2 a, X509Certificate2 b) => a.RawDataMemory.Span.SequenceEqual(b.RawDataMemory.Span);

    /// <summary>The certificates in a PEM text; none when it is no such text.</summary>
    public static IReadOnlyList<X509Certificate2> ReadPem(string pem)
    {
        var all = new X509Certificate2Collection();
        try
        {
            all.ImportFromPem(pem);
        }
        catch (CryptographicException)
        {
            return [];
        }

        return [.. all];
    }

    public static string WritePem(IEnumerable<X509Certificate2> certificates) =>
        string.Concat(certificates.Select(c => c.ExportCertificatePem() + "\n"));
}
