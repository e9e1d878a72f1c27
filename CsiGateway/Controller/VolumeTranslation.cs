using Carina.Grains;
using Carina.Grains.Volumes;
using Csi.V1;

namespace Carina.CsiGateway.Controller;

/// <summary>Our volumes in the words of the protocol.</summary>
internal static class VolumeTranslation
{
    /// <summary>The volume with its context, which becomes the attributes of the PersistentVolume.</summary>
    public static Volume ToVolume(VolumeRecord record) => new()
    {
        VolumeId = record.VolumeId,
        CapacityBytes = record.Bytes,
        VolumeContext = { ToContext(record) },
        AccessibleTopology = { new Topology { Segments = { [CarinaNames.TopologyKey] = record.NodeName } } },
    };

    /// <summary>All parameters as given, and where the volume is.</summary>
    public static Dictionary<string, string> ToContext(VolumeRecord record)
    {
        var context = new Dictionary<string, string>(record.Parameters)
        {
            [CarinaNames.DiskGroup] = record.Pool,
            [CarinaNames.Node] = record.NodeName,
        };
        if (record.DevicePath.Length > 0)
        {
            context[CarinaNames.DevicePath] = record.DevicePath;
        }

        return context;
    }

    /// <summary>What is wrong with a volume, for people; empty when nothing is known to be.</summary>
    public static VolumeCondition ToCondition(string problem) => new()
    {
        Abnormal = problem.Length > 0,
        Message = problem.Length > 0 ? problem : "No problem is known.",
    };
}
