namespace Carina.Silo.Membership.Kubernetes;

/// <summary>Who this silo is to Kubernetes, and which pods are silos.</summary>
internal sealed class KubernetesMembershipOptions
{
    /// <summary>Label of all objects that belong to a cluster's membership; its value is the cluster id.</summary>
    public const string ClusterLabel = "carina.storage.io/orleans-cluster";

    /// <summary>Name of this silo's pod (<c>POD_NAME</c>); empty outside a pod.</summary>
    public string PodName { get; set; } = "";

    /// <summary>Uid of this silo's pod (<c>POD_UID</c>); empty outside a pod.</summary>
    public string PodUid { get; set; } = "";

    /// <summary>
    /// Namespace of this silo's pod (<c>POD_NAMESPACE</c>); empty means that of the membership object. A lease in another
    /// namespace cannot belong to the pod.
    /// </summary>
    public string PodNamespace { get; set; } = "";

    /// <summary>
    /// Label selector of the pods that silos run in, in the namespace of the membership object. One that does not match
    /// costs requests, not safety: before a silo is declared dead its pod is asked for by name.
    /// </summary>
    public string PodSelector { get; set; } = "app.kubernetes.io/name=carina-csi-driver";

    /// <summary>
    /// How long gossip may take before a silo reads a changed table itself. Gossip carries the rows and is there first
    /// unless silos cannot reach each other, which spares the API server a read by every silo at every change.
    /// </summary>
    public TimeSpan GossipHeadStart { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// The pod as rows and leases record it; null outside a pod, and where it is not in the namespace of the membership
    /// object: nobody would find it there, and take it for deleted.
    /// </summary>
    internal MembershipPod? PodIn(string ns) =>
        PodName.Length > 0 && PodUid.Length > 0 && (PodNamespace.Length == 0 || PodNamespace == ns)
            ? new(PodName, PodUid)
            : null;
}
