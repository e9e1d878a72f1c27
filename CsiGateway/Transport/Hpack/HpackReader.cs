using System.Buffers;

namespace Carina.CsiGateway.Transport.Hpack;

/// <summary>Walks a header block (RFC 7541, section 5). No method throws: what the format does not allow is a false.</summary>
internal ref struct HpackReader(ReadOnlySpan<byte> block)
{
    private readonly ReadOnlySpan<byte> _block = block;

    /// <summary>Offset of the next unread octet.</summary>
    public int Position { get; private set; }

    public readonly bool AtEnd => Position == _block.Length;

    /// <summary>The next unread octet; only before the end.</summary>
    public readonly byte Current => _block[Position];

    /// <summary>What has been read from <paramref name="start"/> on.</summary>
    public readonly ReadOnlySpan<byte> ReadSince(int start) => _block[start..Position];

    /// <summary>Section 5.1: an integer whose first octet has <paramref name="prefixBits"/> bits of it.</summary>
    public bool TryReadInteger(int prefixBits, out int value)
    {
        value = 0;
        if (AtEnd)
            return false;
        var prefix = (1 << prefixBits) - 1;
        value = _block[Position++] & prefix;
        if (value < prefix)
            return true;

        // Nothing within a header block is longer than 2^28 octets, so four more octets are enough.
        for (var shift = 0; shift <= 21; shift += 7)
        {
            if (AtEnd)
                return false;
            var octet = _block[Position++];
            value += (octet & 0x7f) << shift;
            if ((octet & 0x80) == 0)
                return true;
        }

        return false;
    }

    /// <summary>Section 5.2: a string literal.</summary>
    public bool TryReadString(out HpackString value)
    {
        value = default;
        if (AtEnd)
            return false;
        var huffman = (Current & 0x80) != 0;
        if (!TryReadInteger(7, out var length) || length > _block.Length - Position)
            return false;
        value = new HpackString(huffman, _block.Slice(Position, length));
        Position += length;
        return true;
    }
}

/// <summary>A string literal as it was sent.</summary>
internal readonly ref struct HpackString(bool huffman, ReadOnlySpan<byte> coded)
{
    private readonly ReadOnlySpan<byte> _coded = coded;

    /// <summary>The octets meant, or null where the Huffman coding is broken.</summary>
    public byte[]? Decode()
    {
        if (!huffman)
            return _coded.ToArray();
        // The shortest code has 5 bits.
        var decoded = new ArrayBufferWriter<byte>(_coded.Length * 8 / 5 + 1);
        return HuffmanCode.TryDecode(_coded, decoded) ? decoded.WrittenSpan.ToArray() : null;
    }
}
