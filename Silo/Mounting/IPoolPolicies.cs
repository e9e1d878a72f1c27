using Carina.Grains.Configuration;

namespace Carina.Silo.Mounting;

/// <summary>Knows which policy, and so which backend, a pool has on this node.</summary>
internal interface IPoolPolicies
{
    /// <summary>The pool's policy; null when no such pool is configured.</summary>
    PoolPolicy? Find(string pool);
}

/// <summary>The pools of the configuration in force; what is not in it (any more) can only be a volume group.</summary>
internal sealed class ConfiguredPoolPolicies(ICarinaConfigSource source) : IPoolPolicies
{
    public PoolPolicy? Find(string pool) =>
        // A group that left the configuration takes nothing new, but its volume group is still there and so are its volumes.
        source.Current.Groups.FirstOrDefault(group => group.Name == pool)?.Policy ?? PoolPolicy.Lvm;
}
