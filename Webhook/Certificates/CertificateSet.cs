using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Carina.Webhook.Certificates;

/// <summary>
/// What Secret or directory hold: the server's certificate and key, the authorities whom the API server shall trust, and
/// the key of the one that signs. Kept under the names of TLS Secrets and under those of Carina 0.9 to 0.14.
/// </summary>
internal sealed record CertificateSet
{
    public const string CertificateKey = "tls.crt";
    public const string PrivateKeyKey = "tls.key";
    public const string AuthoritiesKey = "ca.crt";
    public const string SignerKeyKey = "ca.key";
    public const string LegacyCertificateKey = "cert";
    public const string LegacyPrivateKeyKey = "key";
    public const string LegacyAuthoritiesKey = "ca";

    /// <summary>The server's certificate with its key; null when there is none that works.</summary>
    public X509Certificate2? Leaf { get; init; }

    /// <summary>Certificates between <see cref="Leaf"/> and its authority.</summary>
    public IReadOnlyList<X509Certificate2> Intermediates { get; init; } = [];

    /// <summary>Whom to trust; the newest first. Empty when nothing says so.</summary>
    public IReadOnlyList<X509Certificate2> Authorities { get; init; } = [];

    /// <summary>The one of <see cref="Authorities"/> whose key we have, with its key; null when we have none's.</summary>
    public X509Certificate2? Signer { get; init; }

    /// <summary>Why there is no <see cref="Leaf"/>; empty when there is one.</summary>
    public string Problem { get; init; } = "";

    /// <summary>The authority behind <see cref="Leaf"/>; null when it is none of <see cref="Authorities"/>.</summary>
    public X509Certificate2? FindIssuer(DateTimeOffset now) =>
        Leaf is null ? null : Authorities.FirstOrDefault(a => CertificateChain.Verifies(Leaf, [a], Intermediates, now));

    /// <summary>Reads what is there, in today's names or else in the old ones.</summary>
    /// <param name="data">Contents by name.</param>
    /// <param name="name">The name that the certificate must be good for.</param>
    /// <param name="needsAuthority">Whether a certificate of unknown origin is of no use.</param>
    /// <param name="now">The time.</param>
    public static CertificateSet Read(
        IReadOnlyDictionary<string, byte[]> data, string name, bool needsAuthority, DateTimeOffset now)
    {
        var today = Read(data, CertificateKey, PrivateKeyKey, AuthoritiesKey, name, needsAuthority, now);
        if (today.Leaf is not null || !data.ContainsKey(LegacyCertificateKey))
        {
            return today;
        }

        var legacy = Read(data, LegacyCertificateKey, LegacyPrivateKeyKey, LegacyAuthoritiesKey, name, needsAuthority, now);
        return legacy.Leaf is not null || !data.ContainsKey(CertificateKey) ? legacy : today;
    }

    /// <summary>The set as a Secret holds it.</summary>
    public Dictionary<string, byte[]> Write()
    {
        var leaf = Leaf ?? throw new InvalidOperationException("A set without certificate is not for keeping.");
        var certificate = CertificateChain.WritePem([leaf, .. Intermediates]);
        var key = ExportKey(leaf);
        var authorities = CertificateChain.WritePem(Authorities);
        var data = new Dictionary<string, byte[]>
        {
            [CertificateKey] = Encoding.ASCII.GetBytes(certificate),
            [PrivateKeyKey] = Encoding.ASCII.GetBytes(key),
            [AuthoritiesKey] = Encoding.ASCII.GetBytes(authorities),
            [LegacyCertificateKey] = Encoding.ASCII.GetBytes(certificate),
            [LegacyPrivateKeyKey] = Encoding.ASCII.GetBytes(key),
            [LegacyAuthoritiesKey] = Encoding.ASCII.GetBytes(authorities),
        };
        if (Signer is not null)
        {
            data[SignerKeyKey] = Encoding.ASCII.GetBytes(ExportKey(Signer));
        }

        return data;
    }

    private static CertificateSet Read(
        IReadOnlyDictionary<string, byte[]> data,
        string certificateKey,
        string privateKeyKey,
        string authoritiesKey,
        string name,
        bool needsAuthority,
        DateTimeOffset now)
    {
        var authorities = CertificateChain.ReadPem(TextOf(data, authoritiesKey));
        var set = new CertificateSet
        {
            Authorities = authorities,
            Signer = FindSigner(authorities, TextOf(data, SignerKeyKey)),
        };
        var chain = CertificateChain.ReadPem(TextOf(data, certificateKey));
        if (chain.Count == 0)
        {
            return set with { Problem = $"'{certificateKey}' holds no certificate" };
        }

        X509Certificate2 leaf;
        try
        {
            leaf = X509Certificate2.CreateFromPem(chain[0].ExportCertificatePem(), TextOf(data, privateKeyKey));
        }
        catch (Exception exception) when (exception is CryptographicException or ArgumentException)
        {
            return set with { Problem = $"'{privateKeyKey}' is not the key of '{certificateKey}': {exception.Message}" };
        }

        set = set with { Intermediates = [.. chain.Skip(1)] };
        var problem =
            !leaf.IsValid(now) ? $"the certificate is valid from {leaf.NotBefore:u} to {leaf.NotAfter:u} only"
            : !leaf.MatchesHostname(name) ? $"the certificate is not for {name}"
            : authorities.Count == 0 ? needsAuthority ? $"'{authoritiesKey}' holds no authority" : ""
            : !CertificateChain.Verifies(leaf, authorities, set.Intermediates, now) ? $"the certificate is not signed by an authority in '{authoritiesKey}'"
            : "";
        return problem.Length > 0 ? set with { Problem = problem } : set with { Leaf = leaf };
    }

    private static X509Certificate2? FindSigner(IEnumerable<X509Certificate2> authorities, string pem)
    {
        if (pem.Length == 0)
        {
            return null;
        }

        try
        {
            using var key = ECDsa.Create();
            key.ImportFromPem(pem);
            var mine = key.ExportSubjectPublicKeyInfo();
            return authorities
                .FirstOrDefault(a => a.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(mine))
                ?.CopyWithPrivateKey(key);
        }
        catch (Exception exception) when (exception is CryptographicException or ArgumentException)
        {
            // Somebody else's idea of a key: we sign with our own.
            return null;
        }
    }

    private static string TextOf(IReadOnlyDictionary<string, byte[]> data, string key) =>
        data.TryGetValue(key, out var bytes) ? Encoding.UTF8.GetString(bytes) : "";

    private static string ExportKey(X509Certificate2 certificate)
    {
        using AsymmetricAlgorithm? key = certificate.GetECDsaPrivateKey() ?? (AsymmetricAlgorithm?)certificate.GetRSAPrivateKey();
        return (key ?? throw new InvalidOperationException("The certificate's key is neither ECDSA nor RSA.")).ExportPkcs8PrivateKeyPem() + "\n";
    }
}
