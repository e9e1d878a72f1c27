using System.Security.Cryptography;

namespace Carina.Harness.Kubernetes;

/// <summary>Somebody the API server knows by a token that stays the same as long as the control plane is there.</summary>
/// <param name="Name">The name that RBAC sees.</param>
/// <param name="Groups">The groups that RBAC sees; <c>system:authenticated</c> is added by the API server.</param>
public sealed record KubernetesUser(string Name, params IReadOnlyList<string> Groups)
{
    /// <summary>Name of the user that may do everything.</summary>
    public const string AdminName = "admin";

    /// <summary>The group whose members may do everything.</summary>
    public const string Masters = "system:masters";

    public string Token { get; init; } = RandomNumberGenerator.GetHexString(32, lowercase: true);
}
