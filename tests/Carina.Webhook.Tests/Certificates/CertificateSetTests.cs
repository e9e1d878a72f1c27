using System.Text;
using Carina.Webhook.Certificates;

namespace Carina.Webhook.Tests.Certificates;

/// <summary>What is read from Secrets and directories, and what is taken for usable.</summary>
public sealed class CertificateSetTests
{
    private const string Name = "carina-controller.kube-system.svc";
    private static readonly DateTimeOffset _now = DateTimeOffset.UtcNow;

    [Fact]
    public void What_is_written_can_be_read_under_both_kinds_of_names()
    {
        var data = new LegacySecret(Name, _now).Modern();
        var set = CertificateSet.Read(data, Name, true, _now);
        var again = set.Write();
        Assert.Equal(["ca", "ca.crt", "cert", "key", "tls.crt", "tls.key"], again.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(again["tls.crt"], again["cert"]);
        Assert.Equal(again["tls.key"], again["key"]);
        Assert.Equal(again["ca.crt"], again["ca"]);
        Assert.Equal(set.Leaf!.Thumbprint, CertificateSet.Read(again, Name, true, _now).Leaf!.Thumbprint);
    }

    [Fact]
    public void Old_names_are_read_and_rsa_keys_too()
    {
        var legacy = new LegacySecret(Name, _now);
        var set = CertificateSet.Read(legacy.Data, Name, true, _now);
        Assert.Equal((legacy.Leaf.Thumbprint, ""), (set.Leaf!.Thumbprint, set.Problem));
        Assert.Null(set.Signer);
        Assert.True(set.Leaf.HasPrivateKey);
    }

    [Fact]
    public void Old_names_help_when_the_new_ones_hold_nonsense()
    {
        var legacy = new LegacySecret(Name, _now);
        var data = new Dictionary<string, byte[]>(legacy.Data) { ["tls.crt"] = [], ["tls.key"] = [0xff] };
        Assert.NotNull(CertificateSet.Read(data, Name, true, _now).Leaf);
    }

    [Fact]
    public void What_cannot_be_used_is_said()
    {
        var good = new LegacySecret(Name, _now);
        var other = new LegacySecret(Name, _now);
        RequireProblem("valid from", new LegacySecret(Name, _now.AddYears(-3)).Data);
        RequireProblem("is not for " + Name, new LegacySecret("carina-controller.default.svc", _now).Data);
        RequireProblem("'key' is not the key of 'cert'", new Dictionary<string, byte[]>(good.Data) { ["key"] = other.Data["key"] });
        RequireProblem("'key' is not the key of 'cert'", new Dictionary<string, byte[]>(good.Data) { ["key"] = Encoding.ASCII.GetBytes("secret") });
        RequireProblem("not signed by an authority in 'ca'", new Dictionary<string, byte[]>(good.Data) { ["ca"] = other.Data["ca"] });
        RequireProblem("'cert' holds no certificate", new Dictionary<string, byte[]>(good.Data) { ["cert"] = [1, 2, 3] });
        var without = new Dictionary<string, byte[]>(good.Data);
        without.Remove("ca");
        RequireProblem("'ca' holds no authority", without);
        Assert.NotNull(CertificateSet.Read(without, Name, needsAuthority: false, _now).Leaf);
    }

    private static void RequireProblem(string problem, Dictionary<string, byte[]> data)
    {
        var set = CertificateSet.Read(data, Name, true, _now);
        Assert.Null(set.Leaf);
        Assert.Contains(problem, set.Problem, StringComparison.Ordinal);
    }
}
