using System.Buffers.Binary;

namespace Carina.CsiGateway.Transport.Authority;

/// <summary>The frame types of RFC 9113, section 6, that matter here.</summary>
internal enum FrameType : byte
{
    Data = 0x0,
    Headers = 0x1,
    Settings = 0x4,
    Continuation = 0x9,
}

/// <summary>Flags of HEADERS and CONTINUATION (RFC 9113, sections 6.2 and 6.10).</summary>
[Flags]
internal enum FrameFlags : byte
{
    None = 0x0,
    EndStream = 0x1,
    EndHeaders = 0x4,
    Padded = 0x8,
    Priority = 0x20,
}

/// <summary>The nine octets before each payload (RFC 9113, section 4.1).</summary>
/// <param name="Length">Octets of payload.</param>
/// <param name="Stream">Stream identifier with its reserved bit as it was sent.</param>
internal readonly record struct FrameHeader(int Length, FrameType Type, FrameFlags Flags, uint Stream)
{
    public const int Size = 9;

    /// <summary>Stream identifier without the reserved bit.</summary>
    public uint StreamId => Stream & 0x7fff_ffff;

    public static FrameHeader Read(ReadOnlySpan<byte> octets) => new(
        (octets[0] << 16) | (octets[1] << 8) | octets[2],
        (FrameType)octets[3],
        (FrameFlags)octets[4],
        BinaryPrimitives.ReadUInt32BigEndian(octets[5..]));

    public void Write(Span<byte> octets)
    {
        octets[0] = (byte)(Length >> 16);
        octets[1] = (byte)(Length >> 8);
        octets[2] = (byte)Length;
        octets[3] = (byte)Type;
        octets[4] = (byte)Flags;
        BinaryPrimitives.WriteUInt32BigEndian(octets[5..], Stream);
    }
}
