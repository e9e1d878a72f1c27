using Microsoft.Data.Sqlite;

namespace Carina.Silo.Storage;

/// <summary>
/// The embedded database file that holds all truth when there is no Kubernetes. Several processes of one machine share
/// it: write-ahead log, one writer at a time, every commit on disk before it is acknowledged.
/// </summary>
internal sealed class SqliteDatabase : IAsyncDisposable
{
    private const string Schema = """
        PRAGMA journal_mode = WAL;
        CREATE TABLE IF NOT EXISTS records (
            kind TEXT NOT NULL, name TEXT NOT NULL, etag TEXT NOT NULL, value TEXT NOT NULL,
            PRIMARY KEY (kind, name)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS heartbeats (
            cluster TEXT NOT NULL, silo TEXT NOT NULL, alive TEXT NOT NULL,
            PRIMARY KEY (cluster, silo)) WITHOUT ROWID;
        """;

    private readonly string _connectionString;
    private readonly Lazy<Task> _ready;

    public SqliteDatabase(string path)
    {
        _connectionString = new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Mode = SqliteOpenMode.ReadWriteCreate,
            Pooling = true,
            DefaultTimeout = 10,
        }.ToString();
        _ready = new Lazy<Task>(() => Task.Run(() => Run(_connectionString, Initialize)));
    }

    /// <summary>Runs one transaction's worth of work. SQLite has no asynchronous file access, so it runs aside.</summary>
    public async Task<T> ExecuteAsync<T>(Func<SqliteConnection, T> work, CancellationToken cancellationToken)
    {
        await _ready.Value.WaitAsync(cancellationToken).ConfigureAwait(false);
        return await Task.Run(() => Run(_connectionString, work), cancellationToken).ConfigureAwait(false);
    }

    public ValueTask DisposeAsync()
    {
        using var connection = new SqliteConnection(_connectionString);
        SqliteConnection.ClearPool(connection);
        return ValueTask.CompletedTask;
    }

    /// <summary>A command with named parameters; text is always a constant of ours.</summary>
    public static SqliteCommand Command(
        SqliteConnection connection, string text, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        var command = connection.CreateCommand();
#pragma warning disable CA2100 // Every caller passes a literal; values travel as parameters.
        command.CommandText = text;
#pragma warning restore CA2100
        foreach (var (name, value) in parameters)
        {
            command.Parameters.AddWithValue(name, value);
        }

        return command;
    }

    private static T Run<T>(string connectionString, Func<SqliteConnection, T> work)
    {
        using var connection = new SqliteConnection(connectionString);
        connection.Open();
        // FULL: an acknowledged promise survives a power cut (sqlite.org/pragma.html#pragma_synchronous).
        using (var pragma = Command(connection, "PRAGMA synchronous = FULL;"))
        {
            pragma.ExecuteNonQuery();
        }

        return work(connection);
    }

    private static int Initialize(SqliteConnection connection)
    {
        using var command = Command(connection, Schema);
        return command.ExecuteNonQuery();
    }
}
