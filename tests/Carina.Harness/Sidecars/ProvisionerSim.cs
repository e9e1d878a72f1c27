using Carina.Grains;
using Carina.Harness.Csi;
using Csi.V1;

namespace Carina.Harness.Sidecars;

/// <summary>Sends the controller what external-provisioner sends.</summary>
public sealed class ProvisionerSim(CsiClient controller)
{
    /// <summary>Creates the volume of a claim.</summary>
    /// <param name="request">The claim and its class.</param>
    /// <param name="selectedNode">
    /// The scheduler's choice (WaitForFirstConsumer with <c>--strict-topology</c>); null lets the driver choose
    /// (<c>--immediate-topology=false</c>).
    /// </param>
    /// <param name="cancellationToken">Ends the call.</param>
    public async Task<PersistentVolume> ProvisionAsync(
        VolumeRequest request, string? selectedNode, CancellationToken cancellationToken)
    {
        var response = await controller.Controller.CreateVolumeAsync(
            ToCall(request, selectedNode), cancellationToken: cancellationToken);
        return ToVolume(request, response.Volume);
    }

    /// <summary>Deletes the volume, as on the release of a claim with reclaim policy Delete.</summary>
    public async Task DeleteAsync(PersistentVolume volume, CancellationToken cancellationToken) =>
        await controller.Controller.DeleteVolumeAsync(
            new() { VolumeId = volume.Handle }, cancellationToken: cancellationToken);

    /// <summary>What is available on a node, as for a CSIStorageCapacity object.</summary>
    public async Task<GetCapacityResponse> GetCapacityAsync(
        string node, string pool, CancellationToken cancellationToken) =>
        await controller.Controller.GetCapacityAsync(
            new()
            {
                Parameters = { [CarinaNames.DiskGroup] = pool },
                AccessibleTopology = new() { Segments = { [CarinaNames.TopologyKey] = node } },
            },
            cancellationToken: cancellationToken);

    /// <summary>The call for a claim.</summary>
    public static CreateVolumeRequest ToCall(VolumeRequest request, string? selectedNode)
    {
        // The file system type has been taken out of the parameters; the names are added by --extra-create-metadata.
        var call = new CreateVolumeRequest
        {
            Name = request.Name,
            CapacityRange = new() { RequiredBytes = request.Bytes, LimitBytes = request.LimitBytes },
            VolumeCapabilities = { PersistentVolume.ToCapability(request) },
            Parameters =
            {
                ["csi.storage.k8s.io/pv/name"] = request.Name,
                ["csi.storage.k8s.io/pvc/name"] = request.Claim.Length > 0 ? request.Claim : "data-" + request.Kind,
                ["csi.storage.k8s.io/pvc/namespace"] = "default",
            },
        };
        call.Parameters.Add(request.Parameters.ToDictionary());
        if (request.Pool.Length > 0)
        {
            call.Parameters[CarinaNames.DiskGroup] = request.Pool;
        }

        if (selectedNode is not null)
        {
            var here = new Topology { Segments = { [CarinaNames.TopologyKey] = selectedNode } };
            call.AccessibilityRequirements = new() { Requisite = { here }, Preferred = { here.Clone() } };
        }

        return call;
    }

    /// <summary>The PersistentVolume for an answer.</summary>
    public static PersistentVolume ToVolume(VolumeRequest request, Volume volume)
    {
        ArgumentNullException.ThrowIfNull(volume);

        // The provisioner refuses a smaller volume and removes it again.
        return volume.CapacityBytes < request.Bytes
            ? throw new HarnessException(
                $"Volume {volume.VolumeId} has {volume.CapacityBytes} bytes, fewer than the {request.Bytes} asked for.")
            : new()
            {
                Request = request,
                Handle = volume.VolumeId,
                Bytes = volume.CapacityBytes,
                Attributes = volume.VolumeContext.ToDictionary(),
                Node = volume.AccessibleTopology.Single().Segments[CarinaNames.TopologyKey],
            };
    }
}
