using System.Diagnostics;
using Microsoft.Win32.SafeHandles;

namespace Carina.Harness.Data;

/// <summary>
/// A pod that never stops writing: rewrites a range of a file or block device, block after block, each down to the
/// disk, and knows what must be there afterwards.
/// </summary>
public sealed class SteadyWriter : IAsyncDisposable
{
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(2);
    private readonly string _path;
    private readonly long _offset;
    private readonly long[] _versions;
    private readonly int _seed;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _work;
    private long _blocks;

    private SteadyWriter(string path, long offset, long bytes, int seed)
    {
        (_path, _offset, _seed) = (path, offset, seed);
        _versions = new long[bytes / BlockPattern.Size];
        _work = Task.Run(WriteAsync);
    }

    /// <summary>Bytes written so far.</summary>
    public long Bytes => Interlocked.Read(ref _blocks) * BlockPattern.Size;

    /// <summary>Longest time a single write took, down to the disk.</summary>
    public TimeSpan LongestWrite { get; private set; }

    /// <summary>Starts to write.</summary>
    /// <param name="path">A file, made if missing, or a block device.</param>
    /// <param name="offset">Where the range begins, in bytes.</param>
    /// <param name="bytes">Length of the range; a multiple of 64 KiB.</param>
    /// <param name="seed">Different seeds give different data.</param>
    public static SteadyWriter Start(string path, long offset, long bytes, int seed) => new(path, offset, bytes, seed);

    /// <summary>Waits until so many more bytes are written.</summary>
    /// <exception cref="HarnessException">A write failed.</exception>
    public async Task WaitForAsync(long moreBytes, CancellationToken cancellationToken)
    {
        var goal = Bytes + moreBytes;
        while (Bytes < goal)
        {
            await Task.WhenAny(_work, Task.Delay(10, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
            if (_work.IsCompleted)
            {
                await _work;
            }
        }
    }

    /// <summary>Stops writing and checks everything that was written.</summary>
    /// <exception cref="HarnessException">A write failed, or something else is there than was written.</exception>
    public async Task StopAndVerifyAsync(CancellationToken cancellationToken)
    {
        await StopAsync();
        await _work;
        using var handle = File.OpenHandle(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var expected = new byte[BlockPattern.Size];
        var found = new byte[BlockPattern.Size];
        for (var i = 0; i < _versions.Length; i++)
        {
            if (_versions[i] > 0)
            {
                BlockPattern.Fill(expected, _seed, i, _versions[i]);
                await RandomAccess.ReadAsync(handle, found, PlaceOf(i), cancellationToken);
                if (!expected.AsSpan().SequenceEqual(found))
                {
                    throw new HarnessException($"{_path}: the block at {PlaceOf(i)} is not what was written last.");
                }
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
    }

    private async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task WriteAsync()
    {
        try
        {
            using var handle = File.OpenHandle(_path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite);
            var block = new byte[BlockPattern.Size];
            for (var i = 0; !_stop.IsCancellationRequested; i = (i + 1) % _versions.Length)
            {
                await WriteBlockAsync(handle, block, i);
                await Task.Delay(_pause);
            }
        }
        catch (IOException exception)
        {
            throw new HarnessException($"The writer at {_path} failed after {Bytes} bytes: {exception.Message}", exception);
        }
    }

    private async Task WriteBlockAsync(SafeFileHandle handle, byte[] block, int i)
    {
        var version = _versions[i] + 1;
        BlockPattern.Fill(block, _seed, i, version);
        var started = Stopwatch.GetTimestamp();
        await RandomAccess.WriteAsync(handle, block, PlaceOf(i));
        RandomAccess.FlushToDisk(handle);
        var elapsed = Stopwatch.GetElapsedTime(started);
        if (elapsed > LongestWrite)
        {
            LongestWrite = elapsed;
        }

        _versions[i] = version;
        Interlocked.Increment(ref _blocks);
    }

    private long PlaceOf(int i) => _offset + ((long)i * BlockPattern.Size);
}
