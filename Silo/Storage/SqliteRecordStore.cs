using System.Text.Json;
using Carina.Grains.Storage;
using Microsoft.Data.Sqlite;

namespace Carina.Silo.Storage;

/// <summary>Records of one kind in the embedded database, as JSON that a person can read with any SQLite client.</summary>
/// <param name="database">The file.</param>
/// <param name="kind">Name of the kind; keeps kinds apart within the file.</param>
internal sealed class SqliteRecordStore<T>(SqliteDatabase database, string kind) : IRecordStore<T>
    where T : class
{
    public Task<Stored<T>?> ReadAsync(string name, CancellationToken cancellationToken) => database.ExecuteAsync(
        connection =>
        {
            using var command = SqliteDatabase.Command(
                connection,
                "SELECT name, value, etag FROM records WHERE kind = $kind AND name = $name",
                ("$kind", kind),
                ("$name", name));
            using var reader = command.ExecuteReader();
            return reader.Read() ? Parse(reader) : null;
        },
        cancellationToken);

    public Task<string> WriteAsync(string name, T value, string? etag, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            connection =>
            {
                var next = Guid.NewGuid().ToString("N");
                using var command = SqliteDatabase.Command(
                    connection,
                    etag is null
                        ? "INSERT INTO records (kind, name, etag, value) VALUES ($kind, $name, $next, $value) ON CONFLICT DO NOTHING"
                        : "UPDATE records SET etag = $next, value = $value WHERE kind = $kind AND name = $name AND etag = $etag",
                    ("$kind", kind),
                    ("$name", name),
                    ("$next", next),
                    ("$value", JsonSerializer.Serialize(value)));
                if (etag is not null)
                {
                    command.Parameters.AddWithValue("$etag", etag);
                }

                return command.ExecuteNonQuery() == 1 ? next : throw new RecordConflictException(name);
            },
            cancellationToken);

    public Task DeleteAsync(string name, string etag, CancellationToken cancellationToken) => database.ExecuteAsync(
        connection =>
        {
            using var command = SqliteDatabase.Command(
                connection,
                "DELETE FROM records WHERE kind = $kind AND name = $name AND etag = $etag",
                ("$kind", kind),
                ("$name", name),
                ("$etag", etag));
            if (command.ExecuteNonQuery() == 1)
            {
                return true;
            }

            using var exists = SqliteDatabase.Command(
                connection,
                "SELECT 1 FROM records WHERE kind = $kind AND name = $name",
                ("$kind", kind),
                ("$name", name));
            return exists.ExecuteScalar() is null ? true : throw new RecordConflictException(name);
        },
        cancellationToken);

    public Task<IReadOnlyList<Stored<T>>> ListAsync(string? after, int limit, CancellationToken cancellationToken) =>
        database.ExecuteAsync<IReadOnlyList<Stored<T>>>(
            connection =>
            {
                using var command = SqliteDatabase.Command(
                    connection,
                    "SELECT name, value, etag FROM records WHERE kind = $kind AND name > $after ORDER BY name LIMIT $limit",
                    ("$kind", kind),
                    ("$after", after ?? ""),
                    ("$limit", limit == 0 ? -1 : limit));
                using var reader = command.ExecuteReader();
                var page = new List<Stored<T>>();
                while (reader.Read())
                {
                    page.Add(Parse(reader));
                }

                return page;
            },
            cancellationToken);

    private static Stored<T> Parse(SqliteDataReader reader)
    {
        var name = reader.GetString(0);
        var value = JsonSerializer.Deserialize<T>(reader.GetString(1))
            ?? throw new JsonException($"The stored record '{name}' is empty.");
        return new Stored<T>(name, value, reader.GetString(2));
    }
}
