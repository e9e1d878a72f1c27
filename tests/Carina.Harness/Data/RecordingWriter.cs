using System.Diagnostics;
using System.Globalization;
using Carina.RecordWriter;

namespace Carina.Harness.Data;

/// <summary>A process that writes numbered records (Carina.RecordWriter), and what it said of them.</summary>
public sealed class RecordingWriter : IDisposable
{
    private readonly Process _process;
    private readonly Task _reading;
    private readonly Lock _lock = new();
    private readonly List<(long Number, long Begun, long Acknowledged)> _acknowledged = [];
    private int _failures;

    private RecordingWriter(Process process)
    {
        _process = process;
        _reading = Task.Run(ReadAsync);
    }

    public int Id => _process.Id;

    public bool IsAlive => !_process.HasExited;

    /// <summary>Records that the kernel did not take.</summary>
    public int Failures => Volatile.Read(ref _failures);

    /// <summary>Records that the kernel acknowledged, with the times at which they were begun and acknowledged.</summary>
    public IReadOnlyList<(long Number, long Begun, long Acknowledged)> Acknowledged
    {
        get
        {
            lock (_lock)
                return [.. _acknowledged];
        }
    }

    /// <summary>Starts to write.</summary>
    /// <param name="way">How.</param>
    /// <param name="path">A file, made if missing, or a block device.</param>
    /// <param name="under">A program, with its arguments, that runs the writer in an environment of its own.</param>
    public static RecordingWriter Start(WritingWay way, string path, params string[] under) => new(Process.Start(
        new ProcessStartInfo("/usr/bin/env", [.. under, "dotnet", typeof(RecordFile).Assembly.Location, way.ToString(), path])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!);

    /// <summary>Waits until so many records have been acknowledged.</summary>
    public async Task WaitForAsync(int records)
    {
        var started = Stopwatch.GetTimestamp();
        while (Acknowledged.Count < records)
        {
            if (!IsAlive)
                throw new HarnessException("The writer ended: " + await _process.StandardError.ReadToEndAsync());

            Require(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(60), $"{Acknowledged.Count} of {records} records after a minute");
            await Task.Delay(10);
        }
    }

    /// <summary>Waits until it has noticed that nothing is taken any more: it failed so often, or is no more.</summary>
    public async Task WaitForEndOfSuccessAsync()
    {
        var started = Stopwatch.GetTimestamp();
        while (IsAlive && Failures < 20)
        {
            Require(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(30), "The writer neither fails nor ends.");
            await Task.Delay(10);
        }
    }

    /// <summary>Ends the process and waits for the last of what it said.</summary>
    public async Task StopAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        await _reading;
    }

    /// <summary>Demands that each record that was acknowledged, or a later one in its place, is in a file or device.</summary>
    public void RequireAllIn(string path)
    {
        var newest = Acknowledged.GroupBy(record => record.Number % RecordFile.Records)
            .ToDictionary(place => place.Key, place => place.Max(record => record.Number));
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var (found, expected) = (new byte[RecordFile.RecordBytes], new byte[RecordFile.RecordBytes]);
        foreach (var (place, number) in newest)
        {
            RandomAccess.Read(file, found, place * RecordFile.RecordBytes);
            var present = BitConverter.ToInt64(found);
            Require(present >= number && present % RecordFile.Records == place, $"record {number} is not in {path}, but {present}");
            RecordFile.Fill(expected, present);
            Require(expected.AsSpan().SequenceEqual(found), $"record {present} is torn");
        }
    }

    /// <summary>Kills it.</summary>
    public void Dispose()
    {
        if (IsAlive)
            _process.Kill();

        _process.WaitForExit();
        _process.Dispose();
    }

    private static void Require(bool isSo, string otherwise)
    {
        if (!isSo)
            throw new HarnessException(otherwise);
    }

    private async Task ReadAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            var words = line.Split(' ');
            if (words[0] != "ok")
            {
                Interlocked.Increment(ref _failures);
                continue;
            }

            lock (_lock)
                _acknowledged.Add((Number(words[1]), Number(words[2]), Number(words[3])));
        }
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
