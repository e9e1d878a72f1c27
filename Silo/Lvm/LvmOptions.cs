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
}
