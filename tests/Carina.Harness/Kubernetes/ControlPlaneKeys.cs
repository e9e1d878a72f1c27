using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Carina.Harness.Kubernetes;

/// <summary>
/// The certificates and keys of a control plane, as PEM files. The serving certificate is good for any server on
/// loopback, a test's webhook for example.
/// </summary>
public sealed class ControlPlaneKeys
{
    private const int KeyBits = 2048;
    private static readonly Oid _serverAuthentication = new("1.3.6.1.5.5.7.3.1");
    private readonly string _directory;

    internal ControlPlaneKeys(string directory, IReadOnlyList<IPAddress> addresses)
    {
        _directory = System.IO.Directory.CreateDirectory(directory).FullName;
        using var authorityKey = RSA.Create(KeyBits);
        var request = Request("carina-lab-ca", authorityKey);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(
            X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.DigitalSignature, true));
        var (from, to) = (DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddDays(7));
        using var authority = request.CreateSelfSigned(from, to);
        AuthorityPem = authority.ExportCertificatePem();
        Write(AuthorityPath, AuthorityPem);
        MakeServing(authority, [IPAddress.Loopback, .. addresses], from, to);

        using var accountKey = RSA.Create(KeyBits);
        Write(ServiceAccountKeyPath, accountKey.ExportRSAPrivateKeyPem());
    }

    /// <summary>The authority that all clients trust.</summary>
    public string AuthorityPem { get; }

    public string AuthorityPath => Path.Combine(_directory, "ca.crt");

    /// <summary>Certificate for 127.0.0.1 and localhost.</summary>
    public string ServingCertificatePath => Path.Combine(_directory, "serving.crt");

    public string ServingKeyPath => Path.Combine(_directory, "serving.key");

    /// <summary>Signs the tokens of service accounts.</summary>
    public string ServiceAccountKeyPath => Path.Combine(_directory, "service-account.key");

    /// <summary>An HTTP client that trusts the authority and nobody else.</summary>
    public HttpClient CreateHttpClient()
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
        };
        policy.CustomTrustStore.Add(X509Certificate2.CreateFromPem(AuthorityPem));
        return new(new SocketsHttpHandler { UseProxy = false, SslOptions = { CertificateChainPolicy = policy } });
    }

    private void MakeServing(
        X509Certificate2 authority, IReadOnlyList<IPAddress> addresses, DateTimeOffset from, DateTimeOffset to)
    {
        using var key = RSA.Create(KeyBits);
        var request = Request("carina-lab", key);
        var names = new SubjectAlternativeNameBuilder();
        foreach (var address in addresses)
        {
            names.AddIpAddress(address);
        }

        names.AddDnsName("localhost");
        names.AddDnsName("kubernetes.default.svc");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([_serverAuthentication], false));
        using var certificate = request.Create(authority, from, to, RandomNumberGenerator.GetBytes(16));
        Write(ServingCertificatePath, certificate.ExportCertificatePem());
        Write(ServingKeyPath, key.ExportRSAPrivateKeyPem());
    }

    private static CertificateRequest Request(string name, RSA key) =>
        new($"CN={name}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);

    private static void Write(string path, string pem) => File.WriteAllText(path, pem + "\n");
}
