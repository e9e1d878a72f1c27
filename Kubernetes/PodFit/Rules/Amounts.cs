using k8s.Models;

namespace Carina.Kubernetes.PodFit.Rules;

/// <summary>Exact amounts of resources, as far as kube-scheduler counts them.</summary>
internal sealed class Amounts
{
    /// <summary>Carina's own resources: what they stand for is decided elsewhere, and is moved with the pod.</summary>
    private const string OwnPrefix = "carina.storage.io/";

    private readonly Dictionary<string, decimal> _amounts = new(StringComparer.Ordinal);

    /// <summary>The first field that is no amount; empty when all are.</summary>
    public string MalformedField { get; private set; } = "";

    public IEnumerable<string> Names => _amounts.Keys;

    public decimal this[string name]
    {
        get => _amounts.GetValueOrDefault(name);
        set => _amounts[name] = value;
    }

    /// <summary>Reads a list of resources.</summary>
    /// <param name="list">The list; none is empty.</param>
    /// <param name="field">Where it stands, to be named.</param>
    public static Amounts Read(IDictionary<string, ResourceQuantity>? list, string field)
    {
        var amounts = new Amounts();
        foreach (var (name, quantity) in list ?? new Dictionary<string, ResourceQuantity>())
        {
            if (!IsCounted(name))
            {
                continue;
            }

            if (TryRead(quantity, out var amount))
            {
                amounts[name] = amount;
            }
            else
            {
                amounts.NoteMalformed($"{field}[{name}]");
            }
        }

        return amounts;
    }

    public static bool TryRead(ResourceQuantity? quantity, out decimal amount)
    {
        amount = 0;
        try
        {
            // Kubernetes caps amounts there; sums of them stay far from decimal's limit.
            amount = Math.Min(quantity?.ToDecimal() ?? -1, long.MaxValue);
        }
        catch (OverflowException)
        {
            return false;
        }

        return amount >= 0;
    }

    /// <summary>An amount in the parts that are counted: thousandths of a CPU, whole ones of everything else.</summary>
    public static decimal Whole(string name, decimal amount) =>
        name == "cpu" ? decimal.Ceiling(amount * 1000) / 1000 : decimal.Ceiling(amount);

    public void Add(Amounts other)
    {
        NoteMalformed(other.MalformedField);
        foreach (var (name, amount) in other._amounts)
        {
            this[name] += amount;
        }
    }

    public void RaiseTo(Amounts other)
    {
        NoteMalformed(other.MalformedField);
        foreach (var (name, amount) in other._amounts)
        {
            this[name] = Math.Max(this[name], amount);
        }
    }

    /// <summary>Remembers the first field that is no amount.</summary>
    public void NoteMalformed(string field)
    {
        if (MalformedField.Length == 0)
        {
            MalformedField = field;
        }
    }

    // As kube-scheduler's IsScalarResourceName: a plain name that it does not know is nobody's to give.
    private static bool IsCounted(string name) =>
        name is "cpu" or "memory" or "ephemeral-storage"
        || name.StartsWith("hugepages-", StringComparison.Ordinal)
        || name.StartsWith("attachable-volumes-", StringComparison.Ordinal)
        || (name.Contains('/', StringComparison.Ordinal)
            && !name.StartsWith("requests.", StringComparison.Ordinal)
            && !name.StartsWith(OwnPrefix, StringComparison.Ordinal));
}
