using System.Security.Cryptography;

namespace Carina.Harness.Data;

/// <summary>Data a pod keeps on a volume: in a file, or at the beginning of a block device.</summary>
public static class VolumeData
{
    /// <summary>Writes data, down to the disk, and returns its SHA-256 in hexadecimal.</summary>
    /// <param name="path">A file, made if missing, or a block device.</param>
    /// <param name="bytes">How much; a multiple of 64 KiB.</param>
    /// <param name="seed">Different seeds give different data.</param>
    /// <param name="cancellationToken">Ends the work between two blocks.</param>
    public static async Task<string> WriteAsync(string path, long bytes, int seed, CancellationToken cancellationToken)
    {
        using var handle = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var block = new byte[BlockPattern.Size];
        for (var offset = 0L; offset < bytes; offset += block.Length)
        {
            BlockPattern.Fill(block, seed, offset, 0);
            hash.AppendData(block);
            await RandomAccess.WriteAsync(handle, block, offset, cancellationToken);
        }

        RandomAccess.FlushToDisk(handle);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>SHA-256 of the first bytes, in hexadecimal.</summary>
    public static async Task<string> HashAsync(string path, long bytes, CancellationToken cancellationToken)
    {
        using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var block = new byte[BlockPattern.Size];
        for (var offset = 0L; offset < bytes;)
        {
            var wanted = (int)Math.Min(block.Length, bytes - offset);
            var read = await RandomAccess.ReadAsync(handle, block.AsMemory(0, wanted), offset, cancellationToken);
            if (read == 0)
            {
                throw new HarnessException($"{path} ends after {offset} of {bytes} bytes.");
            }

            hash.AppendData(block, 0, read);
            offset += read;
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
