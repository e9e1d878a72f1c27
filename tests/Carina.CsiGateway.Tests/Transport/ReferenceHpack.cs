using System.Text;
using Carina.CsiGateway.Transport.Hpack;

namespace Carina.CsiGateway.Tests.Transport;

/// <summary>A header field as a client means it.</summary>
internal sealed record Field(string Name, string Value);

/// <summary>The three literals of RFC 7541, section 6.2.</summary>
internal enum Indexing
{
    With,
    Without,
    Never,
}

/// <summary>How an encoder writes a field where it has the choice.</summary>
internal sealed record Style(
    Indexing Indexing = Indexing.Without,
    bool UseStaticName = true,
    bool UseDynamicName = true,
    bool UseDynamicEntry = true,
    bool HuffmanName = false,
    bool HuffmanValue = false);

/// <summary>The static table with its values, and a dynamic table kept as plainly as can be.</summary>
internal class ReferenceTable(int capacity)
{
    public static readonly Field[] Static =
    [
        new(":authority", ""), new(":method", "GET"), new(":method", "POST"), new(":path", "/"),
        new(":path", "/index.html"), new(":scheme", "http"), new(":scheme", "https"), new(":status", "200"),
        new(":status", "204"), new(":status", "206"), new(":status", "304"), new(":status", "400"),
        new(":status", "404"), new(":status", "500"), new("accept-charset", ""),
        new("accept-encoding", "gzip, deflate"),
        .. new[]
        {
            "accept-language", "accept-ranges", "accept", "access-control-allow-origin", "age", "allow",
            "authorization", "cache-control", "content-disposition", "content-encoding", "content-language",
            "content-length", "content-location", "content-range", "content-type", "cookie", "date", "etag", "expect",
            "expires", "from", "host", "if-match", "if-modified-since", "if-none-match", "if-range",
            "if-unmodified-since", "last-modified", "link", "location", "max-forwards", "proxy-authenticate",
            "proxy-authorization", "range", "referer", "refresh", "retry-after", "server", "set-cookie",
            "strict-transport-security", "transfer-encoding", "user-agent", "vary", "via", "www-authenticate",
        }.Select(name => new Field(name, "")),
    ];

    /// <summary>Newest first.</summary>
    public List<Field> Dynamic { get; } = [];

    public void Resize(int size)
    {
        capacity = size;
        Evict();
    }

    public void Add(Field field)
    {
        Dynamic.Insert(0, field);
        Evict();
    }

    public Field this[int index] => index <= Static.Length ? Static[index - 1] : Dynamic[index - Static.Length - 1];

    private void Evict()
    {
        while (Dynamic.Sum(f => f.Name.Length + f.Value.Length + 32) > capacity)
            Dynamic.RemoveAt(Dynamic.Count - 1);
    }
}

/// <summary>An encoder that does as it is told.</summary>
internal sealed class ReferenceEncoder() : ReferenceTable(4096)
{
    public byte[] Encode(IEnumerable<(Field Field, Style Style)> fields, int? resize = null)
    {
        var block = new List<byte>();
        if (resize is { } size)
        {
            Integer(block, 0x20, 5, size);
            Resize(size);
        }

        foreach (var (field, style) in fields)
            Encode(block, field, style);
        return [.. block];
    }

    public byte[] Encode(Style style, params Field[] fields) => Encode(fields.Select(field => (field, style)));

    private void Encode(List<byte> block, Field field, Style style)
    {
        var entry = Array.IndexOf(Static, field) + 1;
        if (style.UseDynamicEntry && Dynamic.IndexOf(field) is >= 0 and var found)
            entry = Static.Length + found + 1;
        if (entry > 0)
        {
            Integer(block, 0x80, 7, entry);
            return;
        }

        var name = style.UseStaticName ? Array.FindIndex(Static, f => f.Name == field.Name) + 1 : 0;
        if (style.UseDynamicName && Dynamic.FindIndex(f => f.Name == field.Name) is >= 0 and var foundName)
            name = Static.Length + foundName + 1;
        var (pattern, prefix) = style.Indexing switch
        {
            Indexing.With => (0x40, 6),
            Indexing.Never => (0x10, 4),
            _ => (0x00, 4),
        };
        Integer(block, pattern, prefix, name);
        if (name == 0)
            String(block, field.Name, style.HuffmanName);
        String(block, field.Value, style.HuffmanValue);
        if (style.Indexing == Indexing.With)
            Add(field);
    }

    private static void String(List<byte> block, string text, bool huffman)
    {
        var octets = Encoding.Latin1.GetBytes(text);
        if (huffman)
            octets = Huffman(octets);
        Integer(block, huffman ? 0x80 : 0x00, 7, octets.Length);
        block.AddRange(octets);
    }

    public static byte[] Huffman(ReadOnlySpan<byte> octets)
    {
        var coded = new List<byte>();
        var (pending, count) = (0ul, 0);
        foreach (var octet in octets)
        {
            var (code, length) = HuffmanCode.Of(octet);
            (pending, count) = ((pending << length) | code, count + length);
            for (; count >= 8; count -= 8)
                coded.Add((byte)(pending >> (count - 8)));
        }

        if (count > 0)
            coded.Add((byte)((pending << (8 - count)) | (0xffu >> count)));
        return [.. coded];
    }

    public static void Integer(List<byte> block, int pattern, int prefixBits, int value)
    {
        var prefix = (1 << prefixBits) - 1;
        if (value < prefix)
        {
            block.Add((byte)(pattern | value));
            return;
        }

        block.Add((byte)(pattern | prefix));
        for (value -= prefix; value >= 128; value /= 128)
            block.Add((byte)(value % 128 + 128));
        block.Add((byte)value);
    }
}

/// <summary>A decoder that throws on what it does not expect. With capacity 0 it is what Kestrel is to this driver.</summary>
internal sealed class ReferenceDecoder(int capacity) : ReferenceTable(capacity)
{
    private readonly int _limit = capacity;
    private byte[] _block = [];
    private int _at;

    /// <summary>The fields, and which of them must never be indexed (section 6.2.3).</summary>
    public List<(Field Field, bool Never)> Decode(byte[] block)
    {
        (_block, _at) = (block, 0);
        var fields = new List<(Field, bool)>();
        while (_at < block.Length)
        {
            var first = block[_at];
            if (first >= 0x80)
            {
                fields.Add((this[Integer(7)], false));
            }
            else if ((first & 0xe0) == 0x20)
            {
                var size = Integer(5);
                Assert.True(size <= _limit, $"table resized to {size}, granted {_limit}");
                Assert.Empty(fields);
                Resize(size);
            }
            else
            {
                var index = Integer((first & 0x40) != 0 ? 6 : 4);
                var name = index == 0 ? String() : this[index].Name;
                var field = new Field(name, String());
                fields.Add((field, (first & 0xf0) == 0x10));
                if ((first & 0x40) != 0)
                    Add(field);
            }
        }

        return fields;
    }

    private int Integer(int prefixBits)
    {
        var prefix = (1 << prefixBits) - 1;
        var value = _block[_at++] & prefix;
        if (value < prefix)
            return value;
        for (var scale = 1; ; scale *= 128)
        {
            var octet = _block[_at++];
            value += octet % 128 * scale;
            if (octet < 128)
                return value;
        }
    }

    private string String()
    {
        var huffman = _block[_at] >= 128;
        var length = Integer(7);
        var octets = _block.AsSpan(_at, length).ToArray();
        _at += length;
        return Encoding.Latin1.GetString(huffman ? Plain(octets) : octets);
    }

    private static readonly Dictionary<(uint Code, int Length), byte> _symbols =
        Enumerable.Range(0, 256).ToDictionary(symbol => HuffmanCode.Of((byte)symbol), symbol => (byte)symbol);

    /// <summary>Decodes by looking up every prefix.</summary>
    private static byte[] Plain(byte[] coded)
    {
        var plain = new List<byte>();
        var (code, length) = (0u, 0);
        foreach (var bit in coded.SelectMany(octet => Enumerable.Range(0, 8).Select(i => (octet >> (7 - i)) & 1)))
        {
            (code, length) = (code * 2 + (uint)bit, length + 1);
            if (!_symbols.TryGetValue((code, length), out var symbol))
                continue;
            plain.Add(symbol);
            (code, length) = (0, 0);
        }

        Assert.True(length < 8 && code == (1u << length) - 1, "bad Huffman padding");
        return [.. plain];
    }
}
