using Carina.Harness.Csi;

namespace Carina.Harness.Sidecars;

/// <summary>Sends the controller what external-resizer sends.</summary>
public sealed class ResizerSim(CsiClient controller)
{
    /// <summary>Grows the device; the file system follows at the node where the answer says so.</summary>
    public async Task<(PersistentVolume Volume, bool NodeExpansionRequired)> ExpandAsync(
        PersistentVolume volume, long bytes, CancellationToken cancellationToken)
    {
        var response = await controller.Controller.ControllerExpandVolumeAsync(
            new()
            {
                VolumeId = volume.Handle,
                CapacityRange = new() { RequiredBytes = bytes },
                VolumeCapability = volume.Capability,
            },
            cancellationToken: cancellationToken);
        return (volume with { Bytes = response.CapacityBytes }, response.NodeExpansionRequired);
    }
}
