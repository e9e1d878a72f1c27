using Carina.Grains.Errors;
using Carina.Grains.Events;

namespace Carina.Grains.Volumes;

// What people are told when it fails.
internal sealed partial class VolumeGrain
{
    public Task<VolumeRecord> CreateAsync(CreateVolume request, CancellationToken cancellationToken) => TellAsync(
        VolumeEventReason.CreateVolumeFailed, () => PlaceAndMakeAsync(request, cancellationToken));

    public Task<VolumeRecord> ExpandAsync(long requiredBytes, long limitBytes, CancellationToken cancellationToken) =>
        TellAsync(VolumeEventReason.ExpandVolumeFailed, () => GrowAsync(requiredBytes, limitBytes, cancellationToken));

    private async Task<VolumeRecord> TellAsync(VolumeEventReason reason, Func<Task<VolumeRecord>> work)
    {
        ThrowIfRefused();
        try
        {
            return await work();
        }
        catch (StorageException exception) when (IsNews(exception.Code))
        {
            events.Report(new(Id, reason, exception.Message, exception.Code));
            throw;
        }
    }

    // A request that does not fit the volume says nothing about the volume.
    private static bool IsNews(StorageErrorCode code) => code is not
        (StorageErrorCode.AlreadyExists or StorageErrorCode.Aborted or StorageErrorCode.NotFound or StorageErrorCode.InvalidArgument);
}
