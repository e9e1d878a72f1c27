using System.Globalization;
using Carina.Grains;
using Carina.Grains.Agents;

namespace Carina.Silo.Agents;

/// <summary>Applies mutable parameters to a volume's live block device; a device that is not open is left for staging.</summary>
internal sealed class DeviceTuner(DiskAgent agent)
{
    public async Task ApplyAsync(
        DiskVolumeKey key, IReadOnlyDictionary<string, string> mutableParameters, CancellationToken cancellationToken)
    {
        if (mutableParameters.TryGetValue(CarinaNames.ReadAheadKiB, out var text)
            && agent.BackendOf(key.Pool).FindDevice(key.VolumeId) is { } device)
        {
            var kib = int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
            await File.WriteAllTextAsync(
                $"/sys/dev/block/{device.Major}:{device.Minor}/queue/read_ahead_kb",
                kib.ToString(CultureInfo.InvariantCulture),
                cancellationToken);
        }
    }
}
