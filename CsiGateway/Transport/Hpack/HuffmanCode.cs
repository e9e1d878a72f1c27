using System.Buffers;

namespace Carina.CsiGateway.Transport.Hpack;

/// <summary>
/// The Huffman code of HPACK (RFC 7541, section 5.2 and appendix B). The code is canonical: within one length the codes
/// count up in the order of the symbols, so the lengths alone define it.
/// </summary>
internal static class HuffmanCode
{
    private const int EndOfString = 256;
    private const int LongestCode = 30;

    // First code of each length, the position of its symbol among them in that order, and how many codes have that length.
    private static readonly uint[] _firstCodes = new uint[LongestCode + 1];
    private static readonly int[] _firstPositions = new int[LongestCode + 1];
    private static readonly int[] _counts = new int[LongestCode + 1];
    private static readonly short[] _symbols = new short[EndOfString + 1];
    private static readonly uint[] _codes = new uint[EndOfString + 1];

    static HuffmanCode()
    {
        uint code = 0;
        var position = 0;
        for (var length = 1; length <= LongestCode; length++)
        {
            code <<= 1;
            _firstCodes[length] = code;
            _firstPositions[length] = position;
            for (var symbol = 0; symbol <= EndOfString; symbol++)
            {
                if (CodeLengths[symbol] != length)
                    continue;
                _symbols[position++] = (short)symbol;
                _codes[symbol] = code++;
            }

            _counts[length] = position - _firstPositions[length];
        }
    }

    /// <summary>Code lengths in bits of the symbols 0 to 255 and of the end-of-string symbol.</summary>
    private static ReadOnlySpan<byte> CodeLengths =>
    [
        13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, // 0x00
        28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, // 0x10
        6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, // 0x20
        5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, // 0x30
        13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, // 0x40
        7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, // 0x50
        15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, // 0x60
        6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, // 0x70
        20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, // 0x80
        24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, // 0x90
        22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, // 0xa0
        21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, // 0xb0
        26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, // 0xc0
        19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, // 0xd0
        20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, // 0xe0
        26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, // 0xf0
        30,
    ];

    /// <summary>The code of <paramref name="symbol"/>, right-aligned, and its length in bits.</summary>
    public static (uint Code, int Length) Of(byte symbol) => (_codes[symbol], CodeLengths[symbol]);

    /// <summary>
    /// Decodes a Huffman-coded string literal. False if it is not one: it holds the end-of-string symbol, or its padding
    /// is longer than 7 bits or not all ones.
    /// </summary>
    public static bool TryDecode(ReadOnlySpan<byte> coded, IBufferWriter<byte> output)
    {
        uint code = 0;
        var length = 0;
        foreach (var octet in coded)
        {
            for (var bit = 7; bit >= 0; bit--)
            {
                code = (code << 1) | (uint)((octet >> bit) & 1);
                length++;

                // A prefix of a longer code is larger than every code of its own length.
                var offset = code - _firstCodes[length];
                if (offset >= _counts[length])
                    continue;

                var symbol = _symbols[_firstPositions[length] + (int)offset];
                if (symbol == EndOfString)
                    return false;
                output.GetSpan(1)[0] = (byte)symbol;
                output.Advance(1);
                code = 0;
                length = 0;
            }
        }

        return length < 8 && code == (1u << length) - 1;
    }
}
