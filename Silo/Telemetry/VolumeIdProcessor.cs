using System.Diagnostics;
using Carina.Grains.Telemetry;
using OpenTelemetry;

namespace Carina.Silo.Telemetry;

/// <summary>
/// Puts the volume's id on every span of a trace: the gateway sets it as baggage, which travels with the context through
/// gRPC and grain calls.
/// </summary>
internal sealed class VolumeIdProcessor : BaseProcessor<Activity>
{
    public override void OnEnd(Activity data)
    {
        if (data.GetTagItem(CarinaTelemetry.VolumeIdTag) is null
            && data.GetBaggageItem(CarinaTelemetry.VolumeIdTag) is { } volumeId)
        {
            data.SetTag(CarinaTelemetry.VolumeIdTag, volumeId);
        }
    }
}
