using Carina.Grains.Errors;

namespace Carina.Silo.Backends.Files;

/// <summary>What a pool can still promise within one batch.</summary>
internal sealed class FileRoom(FilePool pool, long freeBytes)
{
    private long _free = freeBytes;

    public void Demand(long bytes, string what)
    {
        if (bytes > _free)
        {
            throw new StorageException(
                StorageErrorCode.ResourceExhausted,
                $"Cannot {what}: pool '{pool.Name}' ({pool.Directory}) has {Math.Max(0, _free)} bytes left to promise.");
        }
    }

    public void Take(long bytes) => _free -= bytes;
}
