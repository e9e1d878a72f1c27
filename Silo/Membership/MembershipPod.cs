using System.Text.Json.Serialization;

namespace Carina.Silo.Membership;

/// <summary>
/// The pod that a silo runs in. Written into the silo's row when it joins: when just that pod is deleted, the silo is
/// known to be gone, and no replacement can be taken for it.
/// </summary>
internal sealed record MembershipPod(
    [property: JsonPropertyName("name")] string Name, [property: JsonPropertyName("uid")] string Uid);
