using System.Text.Json.Serialization;

namespace Carina.Silo.Fencing;

/// <summary>A volume that this node cut itself off from.</summary>
/// <param name="VolumeId">The volume handle.</param>
/// <param name="Pool">The pool that holds it.</param>
/// <param name="Generation">The newest generation that is fenced; older ones are with it.</param>
/// <param name="At">When, by this node's clock (UTC).</param>
/// <param name="Reason">Why, for people.</param>
public sealed record FencedVolume(
    [property: JsonRequired] string VolumeId,
    [property: JsonRequired] string Pool,
    [property: JsonRequired] long Generation,
    [property: JsonRequired] DateTimeOffset At,
    [property: JsonRequired] string Reason);
