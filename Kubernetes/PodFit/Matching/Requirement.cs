using System.Globalization;

namespace Carina.Kubernetes.PodFit.Matching;

/// <summary>A condition on one label (or, of a node, on one field).</summary>
internal sealed record Requirement(string Key, string Operator, IReadOnlyList<string> Values)
{
    /// <summary>Whether kube-scheduler could read it.</summary>
    public bool IsWellFormed => Operator switch
    {
        "In" or "NotIn" => Values.Count > 0,
        "Exists" or "DoesNotExist" => Values.Count == 0,
        "Gt" or "Lt" => Values.Count == 1 && TryReadNumber(Values[0], out _),
        _ => false,
    };

    public static Requirement Of(string? key, string? @operator, IEnumerable<string>? values) =>
        new(key ?? "", @operator ?? "", values?.ToList() ?? []);

    public bool Matches(IReadOnlyDictionary<string, string> labels)
    {
        var exists = labels.TryGetValue(Key, out var value);
        return Operator switch
        {
            "In" => exists && Values.Contains(value ?? ""),
            "NotIn" => !exists || !Values.Contains(value ?? ""),
            "Exists" => exists,
            "DoesNotExist" => !exists,
            "Gt" => exists && Compare(value) > 0,
            "Lt" => exists && Compare(value) < 0,
            _ => false,
        };
    }

    private int Compare(string? value) =>
        Values.Count == 1 && TryReadNumber(value, out var have) && TryReadNumber(Values[0], out var want)
            ? have.CompareTo(want)
            : 0;

    private static bool TryReadNumber(string? text, out long number) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number);
}
