namespace Carina.CsiGateway.Transport.Hpack;

/// <summary>A header field as the encoder put it into its table.</summary>
internal sealed record TableEntry(byte[] Name, byte[] Value)
{
    /// <summary>RFC 7541, section 4.1.</summary>
    public int Size => Name.Length + Value.Length + 32;
}

/// <summary>The decoder's copy of the peer's dynamic table (RFC 7541, sections 2.3.2 and 4).</summary>
/// <param name="limit">Octets that the peer may ever use; the table starts with RFC 9113's initial 4,096.</param>
internal sealed class DynamicTable(int limit)
{
    /// <summary>SETTINGS_HEADER_TABLE_SIZE before any SETTINGS frame (RFC 9113, section 6.5.2).</summary>
    public const int InitialCapacity = 4096;

    // Oldest first.
    private readonly List<TableEntry> _entries = [];
    private int _size;

    /// <summary>Octets the table may hold now.</summary>
    public int Capacity { get; private set; } = InitialCapacity;

    /// <summary>The entry at <paramref name="index"/> of the dynamic part, 0 being the newest; null if there is none.</summary>
    public TableEntry? this[int index] => index < _entries.Count ? _entries[^(index + 1)] : null;

    /// <summary>Section 4.2. False if the peer asks for more than it was granted.</summary>
    public bool TryResize(int capacity)
    {
        if (capacity > limit)
            return false;
        Capacity = capacity;
        EvictTo(capacity);
        return true;
    }

    /// <summary>Section 4.4: an entry larger than the table empties it.</summary>
    public void Add(TableEntry entry)
    {
        EvictTo(Capacity - entry.Size);
        if (entry.Size > Capacity)
            return;
        _entries.Add(entry);
        _size += entry.Size;
    }

    private void EvictTo(int size)
    {
        var evicted = 0;
        while (evicted < _entries.Count && _size > size)
            _size -= _entries[evicted++].Size;
        _entries.RemoveRange(0, evicted);
    }
}
