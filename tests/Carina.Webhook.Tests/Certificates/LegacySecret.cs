using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Carina.Webhook.Certificates;

namespace Carina.Webhook.Tests.Certificates;

/// <summary>A Secret as Carina's certificate job left it: RSA, keys <c>ca</c>, <c>cert</c> and <c>key</c>.</summary>
internal sealed class LegacySecret
{
    public LegacySecret(string name, DateTimeOffset made, params string[] more)
    {
        using var authorityKey = RSA.Create(2048);
        var authorityRequest = new CertificateRequest("CN=nil1", authorityKey, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        authorityRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var authority = authorityRequest.CreateSelfSigned(made.AddMinutes(-1), made.AddYears(2));
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=nil2", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("carina-controller");
        names.AddDnsName(name);
        foreach (var one in more)
        {
            names.AddIpAddress(System.Net.IPAddress.Parse(one));
        }

        request.CertificateExtensions.Add(names.Build());
        using var leaf = request.Create(authority, made.AddMinutes(-1), made.AddYears(1), RandomNumberGenerator.GetBytes(8));
        Leaf = leaf.CopyWithPrivateKey(key);
        Data = new()
        {
            ["ca"] = Encoding.ASCII.GetBytes(authority.ExportCertificatePem()),
            ["cert"] = Encoding.ASCII.GetBytes(leaf.ExportCertificatePem()),
            ["key"] = Encoding.ASCII.GetBytes(key.ExportRSAPrivateKeyPem()),
        };
    }

    public X509Certificate2 Leaf { get; }

    public Dictionary<string, byte[]> Data { get; }

    /// <summary>The same under the names of TLS Secrets.</summary>
    public Dictionary<string, byte[]> Modern() => new()
    {
        [CertificateSet.AuthoritiesKey] = Data["ca"],
        [CertificateSet.CertificateKey] = Data["cert"],
        [CertificateSet.PrivateKeyKey] = Data["key"],
    };
}
