namespace Carina.CsiGateway.Registration;

/// <summary>How far the registration has come.</summary>
public enum PluginRegistrationState
{
    /// <summary>The driver's own socket is not served yet.</summary>
    Waiting,

    /// <summary>The registration socket is there; the kubelet has not said anything yet.</summary>
    Offered,

    /// <summary>The kubelet uses the driver.</summary>
    Registered,

    /// <summary>The kubelet refused, or the socket could not be made; another attempt follows.</summary>
    Failed,

    /// <summary>The socket is withdrawn: the process stops.</summary>
    Stopped,
}

/// <summary>The state at one moment.</summary>
/// <param name="Obstacle">What stands in the way, while something does.</param>
public sealed record PluginRegistrationStatus(PluginRegistrationState State, string? Obstacle = null);

/// <summary>For health checks: whether the kubelet of this node uses the driver.</summary>
public interface IPluginRegistration
{
    /// <summary>How far the registration has come.</summary>
    PluginRegistrationStatus Status { get; }
}
