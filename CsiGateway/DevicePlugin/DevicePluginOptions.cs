namespace Carina.CsiGateway.DevicePlugin;

/// <summary>How capacity is shown in the Node object.</summary>
public sealed class DevicePluginOptions
{
    /// <summary>The kubelet's directory for device plugins, as this process sees it.</summary>
    public string Directory { get; set; } = "/var/lib/kubelet/device-plugins";

    /// <summary>Name of this node.</summary>
    public string NodeName { get; set; } = "";

    /// <summary>How often the ledger is asked and the kubelet's socket looked at.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(10);
}
