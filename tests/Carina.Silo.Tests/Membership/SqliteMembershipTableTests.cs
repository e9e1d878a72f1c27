using Carina.Silo.Membership;
using Carina.Silo.Storage;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Carina.Silo.Tests.Membership;

/// <summary>The membership table in the embedded database.</summary>
public sealed class SqliteMembershipTableTests : MembershipTableKit, IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("carina-membership-").FullName;
    private readonly SqliteDatabase _database;

    public SqliteMembershipTableTests() => _database = new SqliteDatabase(Path.Combine(_directory, "state.db"));

    protected override IMembershipTable NewTable(string cluster) => new DocumentMembershipTable(
        new SqliteMembershipDocuments(_database), Options.Create(new ClusterOptions { ClusterId = cluster }));

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }
}
