using System.Globalization;
using System.Net.Sockets;
using k8s.Models;

namespace Carina.Silo.Membership.Kubernetes;

/// <summary>
/// The Lease that carries a silo's heartbeat: what is in it, and what it is called. Only the fields named here are ours
/// (server-side apply); others may keep theirs in it, as the node's fence does.
/// </summary>
internal static class HeartbeatLease
{
    /// <summary>Owner of the heartbeat's fields (<c>metadata.managedFields</c>).</summary>
    public const string FieldManager = "carina-membership";

    /// <summary>
    /// A name for every address that no other silo of any cluster has: the parts after the cluster id contain no dash
    /// and are of a fixed number, so two clusters cannot meet in one name. IPv6 addresses are written out in hex, since
    /// colons are not allowed.
    /// </summary>
    public static string NameOf(string clusterId, SiloAddress silo)
    {
        var address = silo.Endpoint.Address.AddressFamily == AddressFamily.InterNetworkV6
            ? Convert.ToHexStringLower(silo.Endpoint.Address.GetAddressBytes())
            : silo.Endpoint.Address.ToString();
        return string.Create(
            CultureInfo.InvariantCulture, $"{clusterId}-{address}-{silo.Endpoint.Port}-{(uint)silo.Generation}");
    }

    /// <summary>What a heartbeat applies.</summary>
    public static V1Lease Beat(string ns, string clusterId, SiloAddress silo, DateTime time, TimeSpan validity) => new()
    {
        ApiVersion = $"{V1Lease.KubeGroup}/{V1Lease.KubeApiVersion}",
        Kind = V1Lease.KubeKind,
        Metadata = new()
        {
            Name = NameOf(clusterId, silo),
            NamespaceProperty = ns,
            Labels = new Dictionary<string, string> { [KubernetesMembershipOptions.ClusterLabel] = clusterId },
        },
        Spec = new()
        {
            HolderIdentity = silo.ToParsableString(),
            LeaseDurationSeconds = Math.Max(1, (int)validity.TotalSeconds),
            RenewTime = DateTime.SpecifyKind(time, DateTimeKind.Utc),
        },
    };

    /// <summary>Makes the lease go with its pod.</summary>
    public static void SetOwner(V1Lease lease, MembershipPod pod) => lease.Metadata.OwnerReferences =
    [
        new() { ApiVersion = V1Pod.KubeApiVersion, Kind = V1Pod.KubeKind, Name = pod.Name, Uid = pod.Uid },
    ];
}
