using Carina.Grains.Configuration;

namespace Carina.Silo.Mounting;

/// <summary>Knows which policy, and so which backend, a pool has on this node.</summary>
internal interface IPoolPolicies
{
    /// <summary>The pool's policy; null when no such pool is configured.</summary>
    PoolPolicy? Find(string pool);
}

/// <summary>The pools of the configuration in force.</summary>
internal sealed class ConfiguredPoolPolicies(ICarinaConfigSource source) : IPoolPolicies
{
    public PoolPolicy? Find(string pool) =>
        source.Current.Groups.FirstOrDefault(group => group.Name == pool)?.Policy;
}
