namespace Carina.Silo.Backends.Files;

/// <summary>What a FILE pool may promise. All in bytes.</summary>
/// <param name="FileSystem">Size of the file system that holds the pool.</param>
/// <param name="Available">What the file system has left for ordinary users; its own reserve is not ours to promise.</param>
/// <param name="Allocated">Blocks that the files of all pools on the file system occupy; sparse files occupy less than their size.</param>
/// <param name="Sizes">Sum of <see cref="SizeOf"/> over the pools on it, this one included.</param>
/// <param name="Limit">This pool's limit; 0 when it has none.</param>
internal readonly record struct FilePoolAccounts(long FileSystem, long Available, long Allocated, long Sizes, long Limit)
{
    /// <summary>Bytes that volumes could use if everything were theirs.</summary>
    public long Size => SizeOf(FileSystem, Limit);

    /// <summary>
    /// Bytes of <see cref="Size"/> that other files have taken. With limits they first fill what the limits leave to
    /// them; the sum of all pools' promises then still fits the file system.
    /// </summary>
    public long Foreign
    {
        get
        {
            var others = Math.Max(0, FileSystem - Available - Allocated);
            return Math.Clamp(others - (FileSystem - Sizes), 0, Size);
        }
    }

    public static long SizeOf(long fileSystem, long limit) => limit > 0 ? Math.Min(limit, fileSystem) : fileSystem;
}
