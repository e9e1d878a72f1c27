using Carina.Grains.Configuration;

namespace Carina.Webhook.Tests.Hosting;

/// <summary>A configuration that stays as it is.</summary>
internal sealed class FixedConfig(CarinaConfig config) : ICarinaConfigSource
{
    public CarinaConfig Current => config;

    public IDisposable OnChange(Action<CarinaConfig> listener) => new Nothing();

    /// <summary>An LVM group <c>carina-lvm</c> and a HOST group <c>carina-host</c>.</summary>
    public static FixedConfig Usual() => new(new CarinaConfig
    {
        Groups =
        [
            new() { Name = "carina-lvm", Policy = PoolPolicy.Lvm },
            new() { Name = "carina-host", Policy = PoolPolicy.Host },
        ],
    });

    private sealed class Nothing : IDisposable
    {
        public void Dispose()
        {
        }
    }
}
