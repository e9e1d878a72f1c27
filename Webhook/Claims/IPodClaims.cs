using k8s.Models;

namespace Carina.Webhook.Claims;

/// <summary>Finds the claims of pods that Carina provides.</summary>
public interface IPodClaims
{
    /// <summary>Completes once everything that is usually needed is known here; earlier answers cost requests.</summary>
    Task Synced { get; }

    /// <summary>
    /// All volumes of a pod that Carina provides or will provide, and those of which nobody can say yet
    /// (<see cref="ClaimState.Unknown"/>); volumes of other drivers are left out. Answers from what is watched; only
    /// what is not there is asked for, once and for a short time.
    /// </summary>
    ValueTask<IReadOnlyList<PodClaim>> FindAsync(PodOutline pod, CancellationToken cancellationToken);

    /// <inheritdoc cref="FindAsync(PodOutline, CancellationToken)"/>
    /// <param name="pod">The pod.</param>
    /// <param name="ns">Namespace when the pod does not say its own.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    ValueTask<IReadOnlyList<PodClaim>> FindAsync(V1Pod pod, string ns, CancellationToken cancellationToken) =>
        FindAsync(PodOutline.Of(pod, ns), cancellationToken);
}
