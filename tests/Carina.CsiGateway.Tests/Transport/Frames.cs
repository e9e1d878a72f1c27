using System.Buffers.Binary;

namespace Carina.CsiGateway.Tests.Transport;

/// <summary>An HTTP/2 frame (RFC 9113, section 4.1).</summary>
internal sealed record Frame(byte Type, byte Flags, int Stream, byte[] Payload)
{
    public const byte Data = 0, Headers = 1, Reset = 3, Settings = 4, Ping = 6, GoAway = 7, WindowUpdate = 8, Continuation = 9;
    public const byte EndStream = 0x1, Ack = 0x1, EndHeaders = 0x4, Padded = 0x8, Priority = 0x20;

    public static readonly byte[] Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();

    public byte[] ToBytes()
    {
        var header = new byte[9];
        BinaryPrimitives.WriteInt32BigEndian(header, Payload.Length << 8);
        header[3] = Type;
        header[4] = Flags;
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(5), Stream);
        return [.. header, .. Payload];
    }

    /// <summary>All frames of a whole stream of octets.</summary>
    public static List<Frame> Parse(ReadOnlySpan<byte> octets)
    {
        var frames = new List<Frame>();
        while (octets.Length > 0)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(octets) >> 8 & 0xff_ffff;
            frames.Add(new Frame(octets[3], octets[4], BinaryPrimitives.ReadInt32BigEndian(octets[5..]), octets.Slice(9, length).ToArray()));
            octets = octets[(9 + length)..];
        }

        return frames;
    }

    /// <summary>
    /// HEADERS and CONTINUATION that carry <paramref name="block"/>, cut where told; a cut beyond the block's end makes an
    /// empty frame.
    /// </summary>
    public static List<Frame> HeaderBlock(
        int stream, byte[] block, bool endStream = false, int? padding = null, bool priority = false, params int[] cuts)
    {
        var fragments = new List<byte[]>();
        var from = 0;
        foreach (var cut in cuts.Select(cut => Math.Min(cut, block.Length)).Order())
        {
            fragments.Add(block[from..cut]);
            from = cut;
        }

        fragments.Add(block[from..]);
        var frames = fragments.Select((fragment, i) => new Frame(i == 0 ? Headers : Continuation, 0, stream, fragment)).ToList();
        var flags = (byte)((endStream ? EndStream : 0) | (priority ? Priority : 0) | (padding is null ? 0 : Padded));
        byte[] payload =
        [
            .. padding is { } length ? new[] { (byte)length } : [],
            .. priority ? new byte[] { 0, 0, 0, 0, 15 } : [],
            .. frames[0].Payload,
            .. new byte[padding ?? 0],
        ];
        frames[0] = frames[0] with { Flags = flags, Payload = payload };
        frames[^1] = frames[^1] with { Flags = (byte)(frames[^1].Flags | EndHeaders) };
        return frames;
    }
}
