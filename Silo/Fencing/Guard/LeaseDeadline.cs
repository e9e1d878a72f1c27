using System.Text.Json.Serialization;

namespace Carina.Silo.Fencing.Guard;

/// <summary>What the silo has promised, for the guard process to see to if the silo does not.</summary>
/// <param name="BootId">The boot of the machine whose clock is meant.</param>
/// <param name="Holder">The silo that renews; its address names its process' start.</param>
/// <param name="Guarded">Whether the node's lease says, or may say, that guarded volumes are cut off in time.</param>
/// <param name="At">When they have to be, in nanoseconds of CLOCK_BOOTTIME.</param>
internal sealed record LeaseDeadline(
    [property: JsonRequired] string BootId,
    [property: JsonRequired] string Holder,
    [property: JsonRequired] bool Guarded,
    [property: JsonRequired] long At)
{
    private const long NanosecondsPerTick = 100;

    /// <summary><see cref="At"/> by <see cref="Leases.ILeaseClock"/>.</summary>
    [JsonIgnore]
    public TimeSpan Time => TimeSpan.FromTicks(At / NanosecondsPerTick);

    public static long ToNanoseconds(TimeSpan time) => time.Ticks * NanosecondsPerTick;
}
