namespace Carina.Grains.Agents;

/// <summary>What is to be copied where.</summary>
[GenerateSerializer]
[Alias("carina.CopyOrder")]
public sealed record CopyOrder
{
    /// <summary>Bytes that are compared, and sent if they differ, as a whole.</summary>
    public const int BlockBytes = 1 << 20;

    /// <summary>The move that it is for. With <see cref="Pass"/> it tells one copy from another.</summary>
    [Id(0)]
    public required string MoveId { get; init; }

    /// <summary>1 while the volume is in use, 2 when nothing writes to it any more and the copy has to be exact.</summary>
    [Id(1)]
    public required int Pass { get; init; }

    /// <summary>What is read.</summary>
    [Id(2)]
    public required DiskVolumeKey From { get; init; }

    /// <summary>The node that has <see cref="To"/>.</summary>
    [Id(3)]
    public required string ToNode { get; init; }

    /// <summary>What is written; nothing uses it yet.</summary>
    [Id(4)]
    public required DiskVolumeKey To { get; init; }

    /// <summary>
    /// Tells one try of the last pass from another. What is written may have been removed and made anew since an earlier
    /// try, in the same place and with the same generation: that one's success proves nothing.
    /// </summary>
    [Id(5)]
    public string Attempt { get; init; } = "";
}

/// <summary>How far a copy is.</summary>
[GenerateSerializer]
[Alias("carina.CopyProgress")]
public sealed record CopyProgress
{
    /// <summary>Bytes to be compared.</summary>
    [Id(0)]
    public required long TotalBytes { get; init; }

    /// <summary>Bytes compared so far.</summary>
    [Id(1)]
    public required long DoneBytes { get; init; }

    /// <summary>Bytes of them that differed and were sent.</summary>
    [Id(2)]
    public required long SentBytes { get; init; }

    /// <summary>Everything was compared, and what was written was read back.</summary>
    [Id(3)]
    public bool IsDone { get; init; }

    /// <summary>Why it ended without being done; empty when it did not. Asked for again, it begins anew.</summary>
    [Id(4)]
    public string Problem { get; init; } = "";

    /// <summary>SHA-256 over the SHA-256 of all blocks, in hexadecimal digits; empty until it is done.</summary>
    [Id(5)]
    public string Checksum { get; init; } = "";
}
