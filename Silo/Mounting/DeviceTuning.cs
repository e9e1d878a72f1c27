using System.Globalization;
using Carina.Grains;
using Carina.Grains.Errors;
using Carina.Silo.Backends;
using Carina.Silo.Linux;

namespace Carina.Silo.Mounting;

/// <summary>Applies mutable parameters to a live block device, through sysfs.</summary>
internal static class DeviceTuning
{
    /// <summary>The kernel's read-ahead where nobody asks for another: 128 KiB.</summary>
    public const int DefaultReadAheadKiB = 128;

    private const int MaxReadAheadKiB = 1 << 20;

    /// <summary>Applies what is given and leaves the rest; keys that do not concern the device are ignored.</summary>
    /// <exception cref="StorageException">InvalidArgument for a value that cannot be applied.</exception>
    public static void Apply(VolumeDevice device, IReadOnlyDictionary<string, string> parameters)
    {
        if (!parameters.TryGetValue(CarinaNames.ReadAheadKiB, out var text))
            return;

        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) || value > MaxReadAheadKiB)
        {
            throw new StorageException(
                StorageErrorCode.InvalidArgument,
                $"'{CarinaNames.ReadAheadKiB}' must be a number of KiB from 0 to {MaxReadAheadKiB}, not '{text}'.");
        }

        SetReadAhead(device, value);
    }

    /// <summary>Sets the read-ahead; the kernel rounds down to whole pages.</summary>
    public static void SetReadAhead(VolumeDevice device, int kibibytes)
    {
        var link = new DirectoryInfo(BlockDeviceNode.SysfsOf(new DeviceNumber(device.Major, device.Minor)));
        try
        {
            // A partition has the queue of its disk.
            var directory = link.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? link.FullName;
            var owner = Directory.Exists(directory + "/queue") ? directory : Path.GetDirectoryName(directory);
            File.WriteAllText(owner + "/queue/read_ahead_kb", kibibytes.ToString(CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StorageException(
                StorageErrorCode.Internal, $"The read-ahead of {device.Path} cannot be set: {e.Message}", e);
        }
    }
}
