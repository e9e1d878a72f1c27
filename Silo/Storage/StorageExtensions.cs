using Carina.Grains.Nodes;
using Carina.Grains.Storage;
using Carina.Grains.Volumes;
using Carina.Silo.Membership;

namespace Carina.Silo.Storage;

/// <summary>Registers where truth is kept.</summary>
internal static class StorageExtensions
{
    /// <summary>Everything in one embedded database file, shared by the processes of one machine.</summary>
    public static void AddEmbeddedStorage(this IServiceCollection services, string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        services.AddSingleton(_ => new SqliteDatabase(path));
        services.AddSingleton<IMembershipDocuments, SqliteMembershipDocuments>();
        services.AddSingleton<IRecordStore<NodeRecord>>(s =>
            new SqliteRecordStore<NodeRecord>(s.GetRequiredService<SqliteDatabase>(), "node"));
        services.AddSingleton<IRecordStore<VolumeRecord>>(s =>
            new SqliteRecordStore<VolumeRecord>(s.GetRequiredService<SqliteDatabase>(), "volume"));
    }
}
