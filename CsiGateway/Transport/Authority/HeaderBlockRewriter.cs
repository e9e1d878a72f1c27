using System.Buffers;
using Carina.CsiGateway.Transport.Hpack;

namespace Carina.CsiGateway.Transport.Authority;

/// <summary>What became of a header block.</summary>
internal enum HeaderBlockOutcome
{
    /// <summary>Forward the client's own octets.</summary>
    Unchanged,

    /// <summary>Forward what was written instead.</summary>
    Rewritten,

    /// <summary>Not HPACK. The table is of no use any more: nothing further on this connection can be understood.</summary>
    Malformed,

    /// <summary>Larger than allowed once its references are resolved.</summary>
    TooLarge,
}

/// <summary>
/// Rewrites header blocks (RFC 7541) so that the server needs no dynamic table and sees an authority that is a host.
/// Fields are kept octet for octet except two kinds: an authority that is none is replaced, and references to the dynamic
/// table, which this class keeps in the server's place, become literals. A client may use that table until it has
/// seen the server's SETTINGS, however small a table they allow.
/// </summary>
/// <param name="tableSizeLimit">Largest dynamic table that the client may ask for, in octets.</param>
/// <param name="blockSizeLimit">Largest rewritten block in octets; a small block can refer to a large entry many times.</param>
internal sealed class HeaderBlockRewriter(int tableSizeLimit, int blockSizeLimit)
{
    private readonly DynamicTable _table = new(tableSizeLimit);
    private bool _changed;

    /// <summary>Reads <paramref name="block"/>; <paramref name="output"/> is meaningful after Rewritten only.</summary>
    public HeaderBlockOutcome Rewrite(ReadOnlySpan<byte> block, ArrayBufferWriter<byte> output)
    {
        var reader = new HpackReader(block);
        var resizeAllowed = true;
        _changed = false;
        while (!reader.AtEnd)
        {
            bool understood;
            if ((reader.Current & 0xe0) == 0x20)
            {
                // Section 4.2: only before the first field.
                understood = resizeAllowed && TryResize(ref reader, output);
            }
            else
            {
                resizeAllowed = false;
                understood = (reader.Current & 0x80) != 0
                    ? TryIndexed(ref reader, output)
                    : TryLiteral(ref reader, output);
            }

            if (!understood)
                return HeaderBlockOutcome.Malformed;
            if (output.WrittenCount > blockSizeLimit)
                return HeaderBlockOutcome.TooLarge;
        }

        return _changed ? HeaderBlockOutcome.Rewritten : HeaderBlockOutcome.Unchanged;
    }

    /// <summary>Section 6.3. The server's table stays empty: it may be told of zero, and of nothing else.</summary>
    private bool TryResize(ref HpackReader reader, ArrayBufferWriter<byte> output)
    {
        var start = reader.Position;
        if (!reader.TryReadInteger(5, out var capacity) || !_table.TryResize(capacity))
            return false;
        if (capacity == 0)
            output.Write(reader.ReadSince(start));
        else
            _changed = true;
        return true;
    }

    /// <summary>Section 6.1.</summary>
    private bool TryIndexed(ref HpackReader reader, ArrayBufferWriter<byte> output)
    {
        var start = reader.Position;
        if (!reader.TryReadInteger(7, out var index) || index == 0)
            return false;
        if (index <= StaticTable.Count)
        {
            output.Write(reader.ReadSince(start));
            return true;
        }

        if (_table[index - StaticTable.Count - 1] is not { } entry)
            return false;
        _changed = true;
        if (IsAuthority(entry.Name) && !HostRule.IsHost(entry.Value))
        {
            HpackWriter.WriteLiteral(output, neverIndexed: false, StaticTable.Authority, HostRule.Replacement);
            return true;
        }

        HpackWriter.WriteLiteralName(output, neverIndexed: false, entry.Name);
        HpackWriter.WriteString(output, entry.Value);
        return true;
    }

    /// <summary>Section 6.2: with indexing (01), without (0000), never (0001).</summary>
    private bool TryLiteral(ref HpackReader reader, ArrayBufferWriter<byte> output)
    {
        var start = reader.Position;
        var indexing = (reader.Current & 0x40) != 0;
        var neverIndexed = !indexing && (reader.Current & 0x10) != 0;
        if (!reader.TryReadInteger(indexing ? 6 : 4, out var nameIndex)
            || !TryReadName(ref reader, nameIndex, out var name))
            return false;

        var valueStart = reader.Position;
        if (!reader.TryReadString(out var codedValue))
            return false;

        var authority = IsAuthority(name);
        byte[]? value = null;
        if (authority || indexing)
        {
            value = codedValue.Decode();
            if (value is null)
                return false;
        }

        if (authority && !HostRule.IsHost(value))
        {
            HpackWriter.WriteLiteral(output, neverIndexed, StaticTable.Authority, HostRule.Replacement);
            _changed = true;
        }
        else if (nameIndex > StaticTable.Count)
        {
            HpackWriter.WriteLiteralName(output, neverIndexed, name);
            output.Write(reader.ReadSince(valueStart));
            _changed = true;
        }
        else
        {
            output.Write(reader.ReadSince(start));
        }

        // Last: the entry that lent its name may be evicted by this one (section 4.4).
        if (indexing)
            _table.Add(new TableEntry(name, value!));
        return true;
    }

    private bool TryReadName(ref HpackReader reader, int nameIndex, out byte[] name)
    {
        var found = nameIndex switch
        {
            0 => reader.TryReadString(out var literal) ? literal.Decode() : null,
            <= StaticTable.Count => StaticTable.NameOf(nameIndex),
            _ => _table[nameIndex - StaticTable.Count - 1]?.Name,
        };
        name = found ?? [];
        return found is not null;
    }

    private static bool IsAuthority(ReadOnlySpan<byte> name) => name.SequenceEqual(":authority"u8);
}
