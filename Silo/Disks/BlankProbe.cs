using System.Text.Json;
using System.Text.Json.Nodes;
using Carina.Grains.Errors;
using Carina.Silo.Linux;
using Carina.Silo.Processes;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Disks;

/// <summary>What stands against a device being blank.</summary>
/// <param name="IsHeld">Somebody uses it now, so its content was not looked at.</param>
/// <param name="Description">What it is, for people.</param>
internal sealed record DeviceContent(bool IsHeld, string Description);

/// <summary>
/// Proves that a device is blank, by looking at the device itself rather than at what udev remembers of it: nobody
/// else holds it, two programs that know signatures find none, and where signatures live there is nothing but zeros.
/// </summary>
internal sealed class BlankProbe(ICommandRunner runner)
{
    /// <summary>
    /// Bytes at either end of a disk that must be zero: LVM, GPT and its backup, md, ZFS and all file systems keep
    /// their headers there.
    /// </summary>
    public const int DiskMargin = 1 << 20;

    /// <summary>Why the device is not blank; null when it is.</summary>
    /// <param name="path">The device node.</param>
    /// <param name="headBytes">Bytes at the start that must be zero.</param>
    /// <param name="tailBytes">Bytes at the end that must be zero.</param>
    /// <exception cref="StorageException">The device cannot be read.</exception>
    public async Task<DeviceContent?> FindContentAsync(
        string path, int headBytes, int tailBytes, CancellationToken cancellationToken)
    {
        // Held until all is said, so that nobody can begin to use it in between.
        using var device = BlockDeviceNode.TryHold(path);
        if (device is null)
        {
            return new DeviceContent(
                IsHeld: true, "somebody else holds it: it is mounted, part of another device, swap, or being formatted");
        }

        if (await FindSignatureAsync(path, cancellationToken).ConfigureAwait(false) is { } signature)
            return new DeviceContent(IsHeld: false, $"it holds {signature}");

        var number = LinuxFile.Status(device).SpecialDevice;
        return await FindNonZeroAsync(device, BlockDeviceNode.BytesOf(number), headBytes, tailBytes, cancellationToken)
            .ConfigureAwait(false) is { } offset
            ? new DeviceContent(IsHeld: false, $"it holds data of unknown kind at byte {offset}")
            : null;
    }

    /// <summary>The signatures on a device, for people; null when there are none.</summary>
    /// <exception cref="StorageException">Internal when the programs fail, which proves nothing.</exception>
    public async Task<string?> FindSignatureAsync(string path, CancellationToken cancellationToken)
    {
        var low = await runner.RunAsync("blkid", ["-p", "--no-part-details", "-o", "value", "-s", "TYPE", "-s", "PTTYPE", path], cancellationToken)
            .ConfigureAwait(false);
        switch (low.ExitCode)
        {
            case 0:
                return string.Join(", ", low.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)) is { Length: > 0 } types
                    ? types
                    : "a signature that blkid knows";
            case 8:
                return "signatures of several kinds, which blkid cannot decide between";
            case 2:
                break;
            default:
                throw new StorageException(
                    StorageErrorCode.Internal, $"blkid could not read {path} (exit {low.ExitCode}): {low.Error}");
        }

        var wipe = await runner.RunAsync("wipefs", ["--no-act", "--json", path], cancellationToken).ConfigureAwait(false);
        if (wipe.ExitCode != 0)
        {
            throw new StorageException(
                StorageErrorCode.Internal, $"wipefs could not read {path} (exit {wipe.ExitCode}): {wipe.Error}");
        }

        var found = Signatures(wipe.Output);
        return found.Count == 0 ? null : string.Join(", ", found);
    }

    private static List<string> Signatures(string json)
    {
        if (string.IsNullOrWhiteSpace(json))
            return [];

        try
        {
            return [.. (JsonNode.Parse(json)?["signatures"] as JsonArray ?? []).Select(s => s?["type"]?.ToString() ?? "a signature")];
        }
        catch (JsonException e)
        {
            throw new StorageException(StorageErrorCode.Internal, $"The output of wipefs is not understood: {e.Message}", e);
        }
    }

    private static async Task<long?> FindNonZeroAsync(
        SafeFileHandle device, long size, int headBytes, int tailBytes, CancellationToken cancellationToken)
    {
        // A device that has just gone has no bytes that are not zero, and is not blank for that.
        if (size < Math.Max(1, Math.Max(headBytes, tailBytes)))
            throw new StorageException(StorageErrorCode.Internal, $"The device has only {size} bytes; it may just have been removed.");

        foreach (var (start, length) in new[] { (0L, headBytes), (Math.Max(0, size - tailBytes), tailBytes) })
        {
            var buffer = new byte[Math.Min(length, size)];
            for (var done = 0; done < buffer.Length;)
            {
                int read;
                try
                {
                    read = await RandomAccess.ReadAsync(device, buffer.AsMemory(done), start + done, cancellationToken)
                        .ConfigureAwait(false);
                }
                catch (IOException e)
                {
                    throw new StorageException(
                        StorageErrorCode.Internal, $"Reading the device failed at byte {start + done}: {e.Message}", e);
                }

                if (read == 0)
                    return start + done;

                done += read;
            }

            var at = buffer.AsSpan().IndexOfAnyExcept((byte)0);
            if (at >= 0)
                return start + at;
        }

        return null;
    }
}
