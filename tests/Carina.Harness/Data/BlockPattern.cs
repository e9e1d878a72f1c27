using System.Buffers.Binary;

namespace Carina.Harness.Data;

/// <summary>Content that can be told from any other: each block is derived from a seed, its place and its version.</summary>
internal static class BlockPattern
{
    public const int Size = 64 << 10;

    public static void Fill(Span<byte> block, int seed, long place, long version)
    {
        var state = ((ulong)seed * 0xD6E8FEB86659FD93UL) ^ ((ulong)place * 0xA0761D6478BD642FUL) ^ ((ulong)version * 0xE7037ED1A0B428DBUL);
        for (var i = 0; i < block.Length; i += 8)
        {
            // SplitMix64.
            var z = state += 0x9E3779B97F4A7C15UL;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
            BinaryPrimitives.WriteUInt64LittleEndian(block[i..], z ^ (z >> 31));
        }
    }
}
