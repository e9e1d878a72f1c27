using System.Security.Cryptography.X509Certificates;
using Carina.Webhook.Hosting;

namespace Carina.Webhook.Certificates;

/// <summary>
/// The next step of the certificates' life. It follows from what is stored, what is published and the time alone: any
/// replica can take it, and after a crash the next one goes on.
/// </summary>
/// <param name="Next">What to store; null to leave it as it is.</param>
/// <param name="Reason">What the step is and why, for the log.</param>
/// <param name="LookAgain">When time alone asks for the next step.</param>
internal sealed record CertificatePlan(CertificateSet? Next, string Reason, DateTimeOffset LookAgain)
{
    /// <summary>Decides.</summary>
    /// <param name="set">What is stored.</param>
    /// <param name="published">Whom the API server trusts, as far as it is ours to say; null otherwise.</param>
    /// <param name="changedAt">When the set was last changed.</param>
    /// <param name="names">Names for certificates.</param>
    /// <param name="options">Lifetimes.</param>
    /// <param name="now">The time.</param>
    public static CertificatePlan For(
        CertificateSet set,
        IReadOnlyList<X509Certificate2>? published,
        DateTimeOffset changedAt,
        IReadOnlyList<string> names,
        WebhookOptions options,
        DateTimeOffset now)
    {
        var signer = set.Signer is { } s && s.IsValid(now) ? s : null;
        if (set.Leaf is null)
        {
            return Take(
                signer is not null
                    ? NewLeaf(set, signer, names, options, now)
                    : NewAuthority(set with { Authorities = [] }, options, now, a => NewLeaf(a, a.Signer!, names, options, now)),
                $"New certificate: {set.Problem}",
                now);
        }

        var due = set.Leaf.RenewalTime();
        if (signer is null ? now >= due : now >= signer.RenewalTime())
        {
            // Nobody is served by a new authority before everybody trusts it: it is published first.
            return Take(
                NewAuthority(set, options, now, a => a),
                "New authority, beside the old one: " + (signer is null ? "the old one's key is not ours" : "the old one is due"),
                now);
        }

        if (signer is null)
        {
            return new(null, "", due);
        }

        var settled = changedAt + options.SettleTime;
        var issuer = set.FindIssuer(now);
        if (issuer is null || !CertificateChain.Same(issuer, signer))
        {
            return now < settled ? new(null, "", settled)
                : published is not null && !published.Any(p => CertificateChain.Same(p, signer)) ? new(null, "", now + options.SettleTime)
                : Take(NewLeaf(set, signer, names, options, now), "Certificate by the new authority, which all trust by now", now);
        }

        if (now >= due || !names.All(n => set.Leaf.MatchesHostname(n)))
        {
            return Take(
                NewLeaf(set, signer, names, options, now),
                "Certificate renewed: " + (now >= due ? "two thirds of its life are over" : "names are missing in it"),
                now);
        }

        if (set.Authorities.Count > 1)
        {
            return now < settled
                ? new(null, "", settled)
                : Take(set with { Authorities = [issuer] }, "Old authorities dropped: nothing of theirs is in use", now);
        }

        var authorityDue = signer.RenewalTime();
        return new(null, "", due < authorityDue ? due : authorityDue);
    }

    private static CertificatePlan Take(CertificateSet next, string reason, DateTimeOffset now) => new(next, reason, now);

    private static CertificateSet NewLeaf(
        CertificateSet set, X509Certificate2 signer, IReadOnlyList<string> names, WebhookOptions options, DateTimeOffset now) =>
        set with
        {
            Leaf = CertificateIssuer.CreateLeaf(signer, names, now, options.CertificateLifetime),
            Intermediates = [],
            Signer = signer,
            Problem = "",
        };

    private static CertificateSet NewAuthority(
        CertificateSet set, WebhookOptions options, DateTimeOffset now, Func<CertificateSet, CertificateSet> then)
    {
        var authority = CertificateIssuer.CreateAuthority(now, options.AuthorityLifetime);

        // At most one predecessor stays: the one in use. Others were on their way out.
        var old = set.FindIssuer(now) is { } issuer ? [issuer] : set.Authorities.Take(1);
        return then(set with { Authorities = [authority, .. old], Signer = authority });
    }
}
