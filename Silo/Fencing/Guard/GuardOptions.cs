namespace Carina.Silo.Fencing.Guard;

/// <summary>How the guard process watches the silo.</summary>
internal sealed class GuardOptions
{
    public const string Section = "Guard";

    /// <summary>Time that the silo has to itself from its deadline on: two that cut the same volume off help nobody.</summary>
    public TimeSpan Grace { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Time between looks at clock and file.</summary>
    public TimeSpan Watch { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Longest wait for one try to cut a volume off.</summary>
    public TimeSpan FenceLimit { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Time between tries, and between looks whether what was cut off still is.</summary>
    public TimeSpan RetryInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The kernel's watchdog (<c>/dev/watchdog</c>), which restarts the machine when this process stops telling it that all
    /// is well; empty leaves it alone.
    /// </summary>
    public string Watchdog { get; set; } = "";
}
