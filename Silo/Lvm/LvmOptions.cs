namespace Carina.Silo.Lvm;

/// <summary>How this process uses LVM.</summary>
internal sealed class LvmOptions
{
    /// <summary>
    /// Where the private configuration of each session is kept (<see cref="LvmConfiguration"/>); below <c>/run</c>, so
    /// that nothing of it survives a reboot. Nobody else may use it.
    /// </summary>
    public string Directory { get; set; } = "/run/carina/lvm";

    /// <summary>A session that has had nothing to do for this long ends its process.</summary>
    public TimeSpan IdleTime { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// How long one command may take. A command that hangs longer waits for a lock or for a device that does not answer;
    /// its process is ended, whatever it was doing.
    /// </summary>
    public TimeSpan CommandLimit { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Whether LVM looks for signatures in a volume that it makes, and wipes them, before udev's rules see the volume and
    /// assemble or mount what they find in it. Takes as long as all the rest, and is for nothing where there is no udev:
    /// whoever makes the volume zeroes its ends before handing it out.
    /// </summary>
    public bool WipeBeforeUdev { get; set; } = LvmConfiguration.UdevRuns;
}
