namespace Carina.CsiGateway.Hosting;

/// <summary>Which CSI services a process offers; the identity service is always among them.</summary>
[Flags]
public enum CsiRole
{
    None = 0,

    /// <summary>What sidecars call: volumes of the whole cluster.</summary>
    Controller = 1,

    /// <summary>What kubelet calls: volumes of this node.</summary>
    Node = 2,

    Both = Controller | Node,
}
