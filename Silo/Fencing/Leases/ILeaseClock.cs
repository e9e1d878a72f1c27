using Carina.Silo.Linux;

namespace Carina.Silo.Fencing.Leases;

/// <summary>The clock that this node's word is kept by.</summary>
internal interface ILeaseClock
{
    /// <summary>Time since some moment in the past. Never goes back, never stops, and nobody can set it.</summary>
    TimeSpan Elapsed { get; }
}

/// <summary>Goes on while the machine is suspended, as the clocks of the others do; .NET's own stopwatch stands still then.</summary>
internal sealed class BootClock : ILeaseClock
{
    private const int ClockBootTime = 7;
    private const long NanosecondsPerTick = 100;

    public TimeSpan Elapsed => Libc.ClockGetTime(ClockBootTime, out var time) == 0
        ? TimeSpan.FromSeconds(time.Seconds) + TimeSpan.FromTicks(time.Nanoseconds / NanosecondsPerTick)
        : throw LinuxError.Last("read the clock");
}
