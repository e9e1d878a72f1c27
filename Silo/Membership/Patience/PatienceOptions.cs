namespace Carina.Silo.Membership.Patience;

/// <summary>How long a silent silo is waited for while its machine answers.</summary>
public sealed class PatienceOptions
{
    /// <summary>
    /// How long others may suspect it before that counts. Beyond it the process is taken to hang, not to starve.
    /// </summary>
    public TimeSpan Patience { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Time in which a machine that is there accepts a connection: its kernel does, whatever its processes wait for. Adds
    /// to the time after which a machine that is gone is declared dead.
    /// </summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(0.5);
}
