namespace Carina.Kubernetes.PodFit;

/// <summary>Whether a pod could run on a node.</summary>
/// <param name="NodeName">The node.</param>
/// <param name="Obstacle">Why not, in a sentence for operators that names the node; empty when it could.</param>
/// <param name="PreferenceScore">
/// How much the pod's, and other pods', preferences speak for the node: 0 to 900, to be compared only within one answer,
/// and 0 where there is an obstacle.
/// </param>
public sealed record NodeFit(string NodeName, string Obstacle, int PreferenceScore)
{
    /// <summary>Whether nothing is in the way.</summary>
    public bool Fits => Obstacle.Length == 0;
}
