using Csi.V1;

namespace Carina.CsiGateway.Validation;

/// <summary>Where a volume shall be usable.</summary>
internal static class TopologyRules
{
    /// <summary>The segments of a list of topologies, in its order.</summary>
    public static List<Dictionary<string, string>> Read(string field, IReadOnlyList<Topology> topologies)
    {
        var segments = new List<Dictionary<string, string>>(topologies.Count);
        for (var i = 0; i < topologies.Count; i++)
        {
            var one = ReadSegments($"{field}[{i}].segments", topologies[i]);
            segments.Add(one.Count > 0 ? one : throw Refusal.Missing($"{field}[{i}].segments"));
        }

        return segments;
    }

    /// <summary>The segments of one topology; none when there is no topology.</summary>
    public static Dictionary<string, string> ReadSegments(string field, Topology? topology)
    {
        if (topology is null)
        {
            return [];
        }

        TextRules.CheckMap(field, topology.Segments);
        return new(topology.Segments);
    }
}
