namespace Carina.Grains.Failover;

/// <summary>Names that operators use and see.</summary>
public static class FailoverNames
{
    /// <summary>Annotation of a Node: <c>true</c> leaves its volumes where they are, whatever happens to it.</summary>
    public const string Maintenance = "carina.storage.io/maintenance";

    /// <summary>Annotation of a Node: <c>true</c> has all its volumes moved elsewhere, with what they hold.</summary>
    public const string Evacuate = "carina.storage.io/evacuate";

    /// <summary>Annotation of a LogicVolume: a node's name, or <see cref="AnyNode"/>; the volume is moved there with what it holds.</summary>
    public const string MoveTo = "carina.storage.io/move-to";

    /// <summary>Value of <see cref="MoveTo"/>: any other node.</summary>
    public const string AnyNode = "*";

    /// <summary>Annotation of a LogicVolume, <c>node/generation</c>: that retired copy becomes the volume again.</summary>
    public const string RestoreCopy = "carina.storage.io/restore-copy";

    /// <summary>Annotation of a LogicVolume, <c>node/generation</c>: that retired copy is deleted.</summary>
    public const string DiscardCopy = "carina.storage.io/discard-copy";

    /// <summary>Annotation of a LogicVolume: <c>true</c> ends its move, if it has not left its node yet.</summary>
    public const string CancelMove = "carina.storage.io/cancel-move";

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
    public const string Discarded = "CopyDiscarded";
    public const string Moving = "MoveStarted";
    public const string MoveRefused = "MoveRefused";
    public const string Evacuated = "NodeEvacuated";
    public const string Restarted = "FencedPodRestarted";
}
