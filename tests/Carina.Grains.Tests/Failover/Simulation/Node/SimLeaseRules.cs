namespace Carina.Grains.Tests.Failover.Simulation.Node;

/// <summary>
/// The numbers of <c>NodeLeaseOptions</c> and <c>GuardOptions</c> (Silo/Fencing), which this project cannot see: keep them
/// equal. The keeper itself cannot be run here either, since it uses the thread pool; <see cref="SimLeaseKeeper"/> follows
/// its rules line by line.
/// </summary>
internal static class SimLeaseRules
{
    public static readonly TimeSpan RenewInterval = TimeSpan.FromSeconds(3);
    public static readonly TimeSpan FenceAfter = TimeSpan.FromSeconds(11);
    public static readonly TimeSpan Duration = TimeSpan.FromSeconds(15);
    public static readonly TimeSpan IdleInterval = TimeSpan.FromSeconds(20);
    public static readonly TimeSpan IdleDuration = TimeSpan.FromSeconds(60);
    public static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(2);
    public static readonly TimeSpan FirstAsked = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan AskTimeout = TimeSpan.FromSeconds(3.5);
    public static readonly TimeSpan FirstRound = TimeSpan.FromSeconds(6);
    public static readonly TimeSpan Watch = TimeSpan.FromMilliseconds(250);
    public static readonly TimeSpan FenceLimit = TimeSpan.FromSeconds(3);
    public static readonly TimeSpan LiftInterval = TimeSpan.FromSeconds(10);
    public static readonly TimeSpan GuardGrace = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan RenewalLimit = TimeSpan.FromSeconds(15);
    public static readonly TimeSpan GrainLimit = TimeSpan.FromSeconds(5);

    public const int NodesAskedFirst = 3;
}
