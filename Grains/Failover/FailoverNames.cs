namespace Carina.Grains.Failover;

/// <summary>Names that operators use and see.</summary>
public static class FailoverNames
{
    /// <summary>Annotation of a Node: <c>true</c> leaves its volumes where they are, whatever happens to it.</summary>
    public const string Maintenance = "carina.storage.io/maintenance";

    // Reasons of Events.
    public const string Started = "FailoverStarted";
    public const string Fenced = "FailoverFenced";
    public const string Released = "FailoverPodReleased";
    public const string Done = "FailoverDone";
    public const string Waiting = "FailoverWaiting";
    public const string Cancelled = "FailoverCancelled";
    public const string DryRun = "FailoverDryRun";
    public const string Braked = "FailoverStormBrake";
    public const string Skipped = "FailoverSkipped";
    public const string Lost = "VolumeLost";
    public const string Restarted = "FencedPodRestarted";
}
