namespace Carina.Grains.Tests.Failover.Simulation.Cluster;

/// <summary>What a volume on a disk holds: in each part the number of the last record that was written there.</summary>
internal sealed class SimContent(long generation)
{
    public const int PartCount = 4;

    /// <summary>The generation as which it is, or was at last, the volume; it keeps that under whatever handle it is stored.</summary>
    public long Generation { get; set; } = generation;

    public long[] Parts { get; } = new long[PartCount];

    public void Write(long number) => Parts[number % PartCount] = number;
}
