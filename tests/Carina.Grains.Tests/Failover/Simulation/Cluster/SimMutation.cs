namespace Carina.Grains.Tests.Failover.Simulation.Cluster;

/// <summary>Worlds that are broken on purpose: the checks have to notice.</summary>
internal enum SimMutation
{
    None,

    /// <summary>The agent says that it has cut the volume off, and has not.</summary>
    FenceDoesNothing,

    /// <summary>Neither silo nor guard process stop writing when the lease lapses.</summary>
    HolderGoesOn,

    /// <summary>There is no guard process.</summary>
    NoGuardProcess,

    /// <summary>The others wait for less than the lease lasts.</summary>
    NegativeMargin,

    /// <summary>The node stops later than its lease lasts.</summary>
    LateDeadline,

    /// <summary>The clock of a machine that stands still stands still too.</summary>
    ClockStopsWhenFrozen,

    /// <summary>Records are overwritten whatever version they were changed from.</summary>
    NoVersions,

    /// <summary>Whoever did not opt in is taken for somebody who did.</summary>
    EverybodyOptsIn,

    /// <summary>Agents say that they have removed volumes, and have not.</summary>
    DeletesAreForgotten,

    /// <summary>Pods are removed by name, whatever their uid is.</summary>
    ReleasesByName,

    /// <summary>What was written since the first pass is not copied.</summary>
    SecondPassSkipped,

    /// <summary>The second pass does not ask whether the volume is cut off.</summary>
    CopiesWithoutFence,

    /// <summary>What was copied to one place counts as copied to the next one.</summary>
    CopiedIsKept,

    /// <summary>Copies that are put aside are removed instead.</summary>
    CopiesAreRemoved,

    /// <summary>Another copy is restored than was asked for.</summary>
    RestoresAnother,
}
