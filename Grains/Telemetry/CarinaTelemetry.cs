using System.Diagnostics;

namespace Carina.Grains.Telemetry;

/// <summary>Names of what Carina emits to OpenTelemetry.</summary>
public static class CarinaTelemetry
{
    /// <summary>Name of the activity source and meter.</summary>
    public const string SourceName = "Carina";

    /// <summary>Attribute with a volume's handle; on every span that concerns one.</summary>
    public const string VolumeIdTag = "carina.volume.id";

    /// <summary>Attribute with a pool's name.</summary>
    public const string PoolTag = "carina.pool.name";

    /// <summary>Attribute with a node's name.</summary>
    public const string NodeTag = "carina.node.name";

    /// <summary>The source of Carina's spans.</summary>
    public static ActivitySource Source { get; } = new(SourceName);

    /// <summary>Starts a span about a volume; null when nobody listens.</summary>
    public static Activity? StartVolumeSpan(string name, string volumeId, ActivityKind kind = ActivityKind.Internal)
    {
        var activity = Source.StartActivity(name, kind);
        activity?.SetTag(VolumeIdTag, volumeId);
        return activity;
    }
}
