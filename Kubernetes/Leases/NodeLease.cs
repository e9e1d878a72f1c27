using System.Security.Cryptography;
using System.Text;
using k8s.Models;

namespace Carina.Kubernetes.Leases;

/// <summary>
/// The Lease by which a node keeps its guarded volumes: while it renews it, nobody else may take them; before it can
/// have lapsed, the node has stopped writing to them by its own clock.
/// </summary>
public static class NodeLease
{
    /// <summary>Owner of the lease's fields (<c>metadata.managedFields</c>).</summary>
    public const string FieldManager = "carina-fence";

    /// <summary>Label of all such leases; its value is the cluster id.</summary>
    public const string Label = "carina.storage.io/node-lease";

    /// <summary>Annotation: the node's name (the lease's own name may be shortened).</summary>
    public const string Node = "carina.storage.io/node";

    /// <summary>
    /// Annotation: <c>true</c> while something on the node is there to stop writing in time. Without it a lapse proves
    /// nothing.
    /// </summary>
    public const string Guarded = "carina.storage.io/guarded";

    /// <summary>
    /// Annotation: who stops the writing, as seen just before the renewal: <c>silo</c>, or <c>process</c> (the guard process
    /// too), with <c>watchdog</c> after a comma where the kernel's is armed.
    /// </summary>
    public const string Guard = "carina.storage.io/guard";

    /// <summary>Values in <see cref="Guard"/>.</summary>
    public const string GuardSilo = "silo";

    /// <inheritdoc cref="GuardSilo"/>
    public const string GuardProcess = "process";

    /// <inheritdoc cref="GuardSilo"/>
    public const string GuardWatchdog = "watchdog";

    /// <summary>Annotation: handles of volumes that the node has stopped writing to, separated by commas.</summary>
    public const string Fenced = "carina.storage.io/fenced";

    private const string Prefix = "carina-node-";
    private const int MaxNameChars = 253;

    /// <summary>Name of a node's lease.</summary>
    public static string NameOf(string nodeName)
    {
        ArgumentException.ThrowIfNullOrEmpty(nodeName);
        var name = Prefix + nodeName;
        return name.Length <= MaxNameChars
            ? name
            : Prefix + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(nodeName)).AsSpan(0, 16));
    }

    /// <summary>The node that a lease is of; null when it is none of ours.</summary>
    public static string? NodeOf(V1Lease lease)
    {
        ArgumentNullException.ThrowIfNull(lease);
        return lease.Metadata.Labels?.ContainsKey(Label) == true && lease.Metadata.Annotations?.TryGetValue(Node, out var node) == true
            ? node
            : null;
    }

    /// <summary>Handles in <see cref="Fenced"/>.</summary>
    public static IReadOnlyList<string> FencedIn(V1Lease lease) => ListIn(lease, Fenced);

    /// <summary>Whether <see cref="Guard"/> names the guard process.</summary>
    public static bool HasGuardProcess(V1Lease lease) => ListIn(lease, Guard).Contains(GuardProcess);

    private static string[] ListIn(V1Lease lease, string annotation)
    {
        ArgumentNullException.ThrowIfNull(lease);
        return lease.Metadata.Annotations?.TryGetValue(annotation, out var list) == true
            ? list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            : [];
    }
}
