using System.Security.Cryptography;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Agents;
using Carina.Silo.Backends;
using Carina.Silo.Fencing;

namespace Carina.Silo.Copying;

/// <summary>The receiving end of a copy: compares and writes blocks of a volume that nothing uses yet.</summary>
internal sealed class CopyWriter(DiskAgent agent, FencedVolumes fenced)
{
    /// <summary>Longest part that is compared or written at once, in bytes.</summary>
    public const int MaxPart = 8 * CopyOrder.BlockBytes;

    /// <inheritdoc cref="INodeAgent.HashBlocksAsync"/>
    public async Task<byte[]> HashAsync(DiskVolumeKey key, long offset, int bytes, CancellationToken cancellationToken)
    {
        Validate(offset, bytes);
        using var content = await agent.ContentsOf(key.Pool).OpenForWritingAsync(key, cancellationToken).ConfigureAwait(false);
        Validate(content, offset, bytes);
        return await OwnThread.RunAsync(() =>
        {
            var buffer = VolumeContent.AllocateBuffer(bytes);
            content.Read(offset, buffer.Span);
            return Hash(buffer.Span);
        }).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc cref="INodeAgent.WriteBlocksAsync"/>
    public async Task WriteAsync(DiskVolumeKey key, long offset, byte[] data, CancellationToken cancellationToken)
    {
        Validate(offset, data.Length);
        if (fenced.FindRefusal(key) is { } refusal)
            throw refusal;

        using var content = await agent.ContentsOf(key.Pool).OpenForWritingAsync(key, cancellationToken).ConfigureAwait(false);
        Validate(content, offset, data.Length);

        // Not abandoned half-way: the file stays open until the disk has answered.
        await OwnThread.RunAsync(() =>
        {
            var buffer = VolumeContent.AllocateBuffer(data.Length);
            data.CopyTo(buffer);
            content.Write(offset, buffer.Span);
            content.Flush();
        }).ConfigureAwait(false);
    }

    /// <inheritdoc cref="INodeAgent.FinishCopyAsync"/>
    public async Task FinishAsync(DiskVolumeKey key, bool hasFileSystem, CancellationToken cancellationToken)
    {
        var backend = agent.BackendOf(key.Pool);
        if (hasFileSystem && backend is IFormatMemory memory)
            await memory.RememberFormattedAsync(key, cancellationToken).ConfigureAwait(false);

        await backend.CloseAsync(key.VolumeId, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>SHA-256 of each block, one behind the other.</summary>
    public static byte[] Hash(ReadOnlySpan<byte> part)
    {
        var hashes = new byte[(part.Length + CopyOrder.BlockBytes - 1) / CopyOrder.BlockBytes * SHA256.HashSizeInBytes];
        for (var block = 0; block * CopyOrder.BlockBytes < part.Length; block++)
        {
            var start = block * CopyOrder.BlockBytes;
            SHA256.HashData(
                part[start..Math.Min(part.Length, start + CopyOrder.BlockBytes)], hashes.AsSpan(block * SHA256.HashSizeInBytes, SHA256.HashSizeInBytes));
        }

        return hashes;
    }

    private static void Validate(long offset, int bytes)
    {
        if (offset < 0 || offset % CopyOrder.BlockBytes != 0 || bytes is <= 0 or > MaxPart)
            throw new StorageException(StorageErrorCode.InvalidArgument, $"{bytes} bytes at {offset} are no part of a volume that can be copied.");
    }

    private static void Validate(VolumeContent content, long offset, int bytes)
    {
        if (offset + bytes > content.Bytes)
            throw new StorageException(StorageErrorCode.OutOfRange, $"The volume has {content.Bytes} bytes; there are no {bytes} at {offset}.");
    }
}
