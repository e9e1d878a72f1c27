namespace Carina.Grains.Storage;

/// <summary>A record together with the version it was read at.</summary>
/// <param name="Name">The record's key.</param>
/// <param name="Value">The record.</param>
/// <param name="ETag">Opaque version; a write succeeds only against the current one.</param>
public sealed record Stored<T>(string Name, T Value, string ETag);

/// <summary>
/// Where grain state lives: an embedded database file, or custom resources. Every change is a compare-and-swap on one
/// record, which is what keeps two activations of the same grain from promising the same bytes.
/// </summary>
/// <typeparam name="T">The record; a type that crosses wires, with Orleans ids.</typeparam>
public interface IRecordStore<T>
    where T : class
{
    /// <summary>The record, or null when there is none.</summary>
    Task<Stored<T>?> ReadAsync(string name, CancellationToken cancellationToken);

    /// <summary>Writes a record. <paramref name="etag"/> null means that the record must not exist yet.</summary>
    /// <returns>The new ETag.</returns>
    /// <exception cref="RecordConflictException">The record is not at that version.</exception>
    Task<string> WriteAsync(string name, T value, string? etag, CancellationToken cancellationToken);

    /// <summary>Deletes a record at a version. Deleting what is already gone succeeds.</summary>
    /// <exception cref="RecordConflictException">The record is at another version.</exception>
    Task DeleteAsync(string name, string etag, CancellationToken cancellationToken);

    /// <summary>Records in ordinal order of their names.</summary>
    /// <param name="after">Return only names after this one; null starts at the beginning.</param>
    /// <param name="limit">At most so many; 0 means all.</param>
    Task<IReadOnlyList<Stored<T>>> ListAsync(string? after, int limit, CancellationToken cancellationToken);
}

/// <summary>Somebody else changed the record first. Read it again and decide anew.</summary>
public sealed class RecordConflictException(string name)
    : Exception($"The stored record '{name}' was changed by somebody else since it was read.");
