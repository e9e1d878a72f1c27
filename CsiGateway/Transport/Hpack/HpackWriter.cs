using System.Buffers;

namespace Carina.CsiGateway.Transport.Hpack;

/// <summary>Writes the representations of RFC 7541 that leave the reader's dynamic table alone.</summary>
internal static class HpackWriter
{
    /// <summary>
    /// Section 6.2.2, or 6.2.3 where <paramref name="neverIndexed"/>: a literal with a name of the static table.
    /// </summary>
    public static void WriteLiteral(IBufferWriter<byte> output, bool neverIndexed, int staticName, ReadOnlySpan<byte> value)
    {
        WriteInteger(output, neverIndexed ? 0x10 : 0x00, 4, staticName);
        WriteString(output, value);
    }

    /// <summary>As above with a name of its own; the value follows with <see cref="WriteString"/>.</summary>
    public static void WriteLiteralName(IBufferWriter<byte> output, bool neverIndexed, ReadOnlySpan<byte> name)
    {
        WriteInteger(output, neverIndexed ? 0x10 : 0x00, 4, 0);
        WriteString(output, name);
    }

    /// <summary>Section 5.2, without Huffman coding.</summary>
    public static void WriteString(IBufferWriter<byte> output, ReadOnlySpan<byte> octets)
    {
        WriteInteger(output, 0x00, 7, octets.Length);
        output.Write(octets);
    }

    /// <summary>Section 5.1; <paramref name="pattern"/> fills the bits above the prefix.</summary>
    public static void WriteInteger(IBufferWriter<byte> output, int pattern, int prefixBits, int value)
    {
        var prefix = (1 << prefixBits) - 1;
        if (value < prefix)
        {
            Put(output, pattern | value);
            return;
        }

        Put(output, pattern | prefix);
        for (value -= prefix; value >= 0x80; value >>= 7)
            Put(output, (value & 0x7f) | 0x80);
        Put(output, value);
    }

    private static void Put(IBufferWriter<byte> output, int octet)
    {
        output.GetSpan(1)[0] = (byte)octet;
        output.Advance(1);
    }
}
