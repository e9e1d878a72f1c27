using System.Globalization;
using System.Text.Json;
using Carina.Silo.Membership;
using Microsoft.Data.Sqlite;

namespace Carina.Silo.Storage;

/// <summary>Membership documents in the embedded database file, one row each.</summary>
internal sealed class SqliteMembershipDocuments(SqliteDatabase database) : IMembershipDocuments
{
    private const string Kind = "membership";

    public Task EnsureAsync(string clusterId, CancellationToken cancellationToken) => database.ExecuteAsync(
        connection =>
        {
            using var command = SqliteDatabase.Command(
                connection,
                "INSERT INTO records (kind, name, etag, value) VALUES ($kind, $name, $etag, $value) ON CONFLICT DO NOTHING",
                ("$kind", Kind),
                ("$name", clusterId),
                ("$etag", NewETag()),
                ("$value", JsonSerializer.Serialize(new MembershipDocument())));
            return command.ExecuteNonQuery();
        },
        cancellationToken);

    public Task<MembershipSnapshot> ReadAsync(string clusterId, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            connection =>
            {
                using var transaction = connection.BeginTransaction(deferred: true);
                using var command = SqliteDatabase.Command(
                    connection,
                    "SELECT value, etag FROM records WHERE kind = $kind AND name = $name",
                    ("$kind", Kind),
                    ("$name", clusterId));
                command.Transaction = transaction;
                using var reader = command.ExecuteReader();
                if (!reader.Read())
                {
                    throw new InvalidOperationException(
                        $"There is no membership document for cluster '{clusterId}' in the database; it was removed while the cluster ran.");
                }

                var document = JsonSerializer.Deserialize<MembershipDocument>(reader.GetString(0))!;
                return new MembershipSnapshot(document, reader.GetString(1), ReadBeats(connection, transaction, clusterId));
            },
            cancellationToken);

    public Task<bool> TryWriteAsync(
        string clusterId, MembershipDocument document, string etag, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            connection =>
            {
                using var command = SqliteDatabase.Command(
                    connection,
                    "UPDATE records SET value = $value, etag = $next WHERE kind = $kind AND name = $name AND etag = $etag",
                    ("$kind", Kind),
                    ("$name", clusterId),
                    ("$etag", etag),
                    ("$next", NewETag()),
                    ("$value", JsonSerializer.Serialize(document)));
                return command.ExecuteNonQuery() == 1;
            },
            cancellationToken);

    public Task BeatAsync(string clusterId, string silo, DateTime time, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            connection =>
            {
                using var command = SqliteDatabase.Command(
                    connection,
                    "INSERT INTO heartbeats (cluster, silo, alive) VALUES ($cluster, $silo, $alive) "
                    + "ON CONFLICT (cluster, silo) DO UPDATE SET alive = $alive",
                    ("$cluster", clusterId),
                    ("$silo", silo),
                    ("$alive", time.ToString("O", CultureInfo.InvariantCulture)));
                return command.ExecuteNonQuery();
            },
            cancellationToken);

    public Task ForgetBeatsAsync(
        string clusterId, IReadOnlyCollection<string> silos, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            connection =>
            {
                foreach (var silo in silos)
                {
                    using var command = SqliteDatabase.Command(
                        connection,
                        "DELETE FROM heartbeats WHERE cluster = $cluster AND silo = $silo",
                        ("$cluster", clusterId),
                        ("$silo", silo));
                    command.ExecuteNonQuery();
                }

                return silos.Count;
            },
            cancellationToken);

    public Task DeleteAsync(string clusterId, CancellationToken cancellationToken) => database.ExecuteAsync(
        connection =>
        {
            using var command = SqliteDatabase.Command(
                connection,
                "DELETE FROM records WHERE kind = $kind AND name = $name; DELETE FROM heartbeats WHERE cluster = $name",
                ("$kind", Kind),
                ("$name", clusterId));
            return command.ExecuteNonQuery();
        },
        cancellationToken);

    private static Dictionary<string, DateTime> ReadBeats(
        SqliteConnection connection, SqliteTransaction transaction, string clusterId)
    {
        using var command = SqliteDatabase.Command(
            connection, "SELECT silo, alive FROM heartbeats WHERE cluster = $cluster", ("$cluster", clusterId));
        command.Transaction = transaction;
        using var reader = command.ExecuteReader();
        var beats = new Dictionary<string, DateTime>(StringComparer.Ordinal);
        while (reader.Read())
        {
            beats[reader.GetString(0)] = DateTime.Parse(
                reader.GetString(1), CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind);
        }

        return beats;
    }

    private static string NewETag() => Guid.NewGuid().ToString("N");
}
