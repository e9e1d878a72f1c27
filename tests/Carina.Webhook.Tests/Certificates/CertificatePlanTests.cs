using System.Security.Cryptography.X509Certificates;
using Carina.Webhook.Certificates;
using Carina.Webhook.Hosting;

namespace Carina.Webhook.Tests.Certificates;

/// <summary>The life of certificates, from what is stored and the time.</summary>
public sealed class CertificatePlanTests
{
    private static readonly IReadOnlyList<string> _names = ["svc", "svc.ns", "svc.ns.svc", "svc.ns.svc.cluster.local"];
    private static readonly DateTimeOffset _start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly WebhookOptions _options = new();

    [Fact]
    public void Twelve_years_without_anybody_looking()
    {
        var (now, changed) = (_start, DateTimeOffset.MinValue);
        IReadOnlyDictionary<string, byte[]> stored = new Dictionary<string, byte[]>();
        IReadOnlyList<X509Certificate2> published = [];
        var leaves = new HashSet<string>();
        var authorities = new HashSet<string>();
        var steps = 0;
        while (now < _start.AddYears(12))
        {
            Assert.True(++steps < 200, "It does not come to rest.");
            var set = CertificateSet.Read(stored, _names[2], true, now);
            var plan = CertificatePlan.For(set, published, changed, _names, _options, now);
            if (plan.Next is null)
            {
                Assert.True(plan.LookAgain > now, "A look that changes nothing must lead to a later one.");
                now = plan.LookAgain;
                continue;
            }

            // Whoever got the new certificate before the new bundle must be trusted, too.
            if (published.Count > 0)
            {
                Assert.True(CertificateChain.Verifies(plan.Next.Leaf!, published, [], now), plan.Reason);
            }

            // And who still has the old certificate when the new bundle is there.
            if (set.Leaf is not null)
            {
                Assert.True(
                    CertificateChain.Verifies(set.Leaf, plan.Next.Authorities, [], now) || now - changed >= _options.SettleTime,
                    plan.Reason);
            }

            stored = plan.Next.Write();
            changed = now;
            published = CertificateSet.Read(stored, _names[2], true, now).Authorities;
            leaves.Add(plan.Next.Leaf!.Thumbprint);
            authorities.UnionWith(plan.Next.Authorities.Select(a => a.Thumbprint));
            now += TimeSpan.FromSeconds(1);
        }

        // A certificate lives 243 days in use, an authority six years and eight months.
        Assert.InRange(leaves.Count, 17, 21);
        Assert.Equal(2, authorities.Count);
    }

    [Fact]
    public void The_certificate_is_good_for_all_names_of_the_service()
    {
        var leaf = First().Leaf!;
        Assert.All(_names, name => Assert.True(leaf.MatchesHostname(name), name));
        Assert.False(leaf.MatchesHostname("svc.other.svc"));
        Assert.Equal("1.2.840.10045.2.1", leaf.PublicKey.Oid.Value);
        Assert.Equal(_start.AddDays(365), leaf.NotAfter);
    }

    [Fact]
    public void A_new_authority_does_not_sign_before_it_is_published()
    {
        var first = First();
        var now = _start.AddDays(2500);
        var old = CertificateIssuer.CreateLeaf(first.Signer!, _names, now, TimeSpan.FromDays(365));
        var set = first with { Leaf = old };
        var added = CertificatePlan.For(set, set.Authorities, _start, _names, _options, now).Next!;
        Assert.Equal((2, old.Thumbprint), (added.Authorities.Count, added.Leaf!.Thumbprint));

        // Time alone is not enough: the API server must trust it.
        var later = now + _options.SettleTime + TimeSpan.FromSeconds(1);
        Assert.Null(CertificatePlan.For(added, first.Authorities, now, _names, _options, later).Next);
        Assert.Null(CertificatePlan.For(added, added.Authorities, now, _names, _options, now + TimeSpan.FromSeconds(1)).Next);
        var swapped = CertificatePlan.For(added, added.Authorities, now, _names, _options, later).Next!;
        Assert.Equal(added.Signer!.Thumbprint, swapped.FindIssuer(later)!.Thumbprint);
        Assert.Equal(2, swapped.Authorities.Count);

        var end = later + _options.SettleTime + TimeSpan.FromSeconds(1);
        Assert.Null(CertificatePlan.For(swapped, swapped.Authorities, later, _names, _options, later).Next);
        var dropped = CertificatePlan.For(swapped, swapped.Authorities, later, _names, _options, end).Next!;
        Assert.Equal(added.Signer!.Thumbprint, Assert.Single(dropped.Authorities).Thumbprint);
    }

    [Fact]
    public void A_certificate_that_lacks_a_name_is_renewed_by_the_same_authority()
    {
        var first = First();
        var next = CertificatePlan.For(first, first.Authorities, _start, [.. _names, "extra"], _options, _start).Next!;
        Assert.True(next.Leaf!.MatchesHostname("extra"));
        Assert.Equal(first.Signer!.Thumbprint, next.FindIssuer(_start)!.Thumbprint);
    }

    [Fact]
    public void An_expired_certificate_is_replaced_at_once_by_the_authority_that_is_trusted()
    {
        var first = First();
        var now = _start.AddDays(400);
        var set = CertificateSet.Read(first.Write(), _names[2], true, now);
        Assert.Null(set.Leaf);
        var next = CertificatePlan.For(set, first.Authorities, _start, _names, _options, now).Next!;
        Assert.True(CertificateChain.Verifies(next.Leaf!, first.Authorities, [], now));
    }

    private CertificateSet First()
    {
        var empty = CertificateSet.Read(new Dictionary<string, byte[]>(), _names[2], true, _start);
        return CertificatePlan.For(empty, [], DateTimeOffset.MinValue, _names, _options, _start).Next!;
    }
}
