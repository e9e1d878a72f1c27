using System.Text.RegularExpressions;

namespace Carina.Silo.Membership.Kubernetes;

/// <summary>Which cluster ids can name objects and be the value of a label.</summary>
internal static partial class ClusterIds
{
    /// <exception cref="ArgumentException">This one cannot.</exception>
    public static void Validate(string clusterId)
    {
        if (!DnsLabel().IsMatch(clusterId))
        {
            throw new ArgumentException(
                $"The cluster id '{clusterId}' names the cluster's objects in Kubernetes and must be a DNS label: at most 63 lower-case letters, digits and dashes, with a letter or digit at both ends.",
                nameof(clusterId));
        }
    }

    [GeneratedRegex(@"\A[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\z")]
    private static partial Regex DnsLabel();
}
