using System.Buffers;

namespace Carina.CsiGateway.Transport.Authority;

/// <summary>
/// The frames of one header block: HEADERS and the CONTINUATION frames after it (RFC 9113, section 4.3), kept as they
/// came until the last has arrived.
/// </summary>
internal sealed class HeaderBlockFrames
{
    /// <summary>SETTINGS_MAX_FRAME_SIZE that every peer accepts (RFC 9113, section 6.5.2), in octets.</summary>
    public const int SmallestMaxFrameSize = 16_384;

    private const int PriorityFields = 5;

    private readonly ArrayBufferWriter<byte> _octets = new();

    /// <summary>True until the block's first octet, and after <see cref="Clear"/>.</summary>
    public bool IsEmpty => _octets.WrittenCount == 0;

    /// <summary>Octets held, frame headers included.</summary>
    public int Size => _octets.WrittenCount;

    /// <summary>Stream of the block; only while not empty.</summary>
    public uint StreamId => First.StreamId;

    private FrameHeader First => FrameHeader.Read(_octets.WrittenSpan);

    public void Append(ReadOnlySpan<byte> octets) => _octets.Write(octets);

    public void Clear() => _octets.ResetWrittenCount();

    /// <summary>Forwards the frames as they came.</summary>
    public void CopyTo(IBufferWriter<byte> output) => output.Write(_octets.WrittenSpan);

    /// <summary>Joins the fragments. False where padding or priority fields exceed the frame (section 6.2).</summary>
    public bool TryJoin(ArrayBufferWriter<byte> block)
    {
        var rest = _octets.WrittenSpan;
        while (!rest.IsEmpty)
        {
            var header = FrameHeader.Read(rest);
            var payload = rest.Slice(FrameHeader.Size, header.Length);
            rest = rest[(FrameHeader.Size + header.Length)..];
            if (header.Type == FrameType.Headers && !TryStrip(header.Flags, ref payload))
                return false;
            block.Write(payload);
        }

        return true;
    }

    /// <summary>
    /// Writes HEADERS, and CONTINUATION as needed, that carry <paramref name="block"/> under this block's stream, priority
    /// and END_STREAM. Padding is dropped: header frames are not flow-controlled (section 5.2.1), nobody counts it.
    /// </summary>
    public void Write(ReadOnlySpan<byte> block, IBufferWriter<byte> output)
    {
        var first = First;
        var flags = first.Flags & ~(FrameFlags.Padded | FrameFlags.EndHeaders);
        ReadOnlySpan<byte> priority = [];
        if (flags.HasFlag(FrameFlags.Priority))
        {
            var padLengthField = first.Flags.HasFlag(FrameFlags.Padded) ? 1 : 0;
            priority = _octets.WrittenSpan.Slice(FrameHeader.Size + padLengthField, PriorityFields);
        }

        var type = FrameType.Headers;
        do
        {
            var fragment = block[..Math.Min(block.Length, SmallestMaxFrameSize - priority.Length)];
            block = block[fragment.Length..];
            if (block.IsEmpty)
                flags |= FrameFlags.EndHeaders;
            var header = new FrameHeader(priority.Length + fragment.Length, type, flags, first.Stream);
            header.Write(output.GetSpan(FrameHeader.Size));
            output.Advance(FrameHeader.Size);
            output.Write(priority);
            output.Write(fragment);
            type = FrameType.Continuation;
            flags = FrameFlags.None;
            priority = [];
        }
        while (!block.IsEmpty);
    }

    private static bool TryStrip(FrameFlags flags, ref ReadOnlySpan<byte> payload)
    {
        var padding = 0;
        if (flags.HasFlag(FrameFlags.Padded))
        {
            if (payload.IsEmpty)
                return false;
            padding = payload[0];
            payload = payload[1..];
        }

        var fields = flags.HasFlag(FrameFlags.Priority) ? PriorityFields : 0;
        if (fields + padding > payload.Length)
            return false;
        payload = payload[fields..^padding];
        return true;
    }
}
