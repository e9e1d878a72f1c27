namespace Carina.Silo.Nodes;

/// <summary>The labels of this node: they decide which groups it has, and where volumes may be placed.</summary>
internal interface INodeLabels
{
    /// <summary>
    /// The labels now, the topology key among them. Waits while they are not known yet: a node that took itself for
    /// unlabelled would report that it has no pools.
    /// </summary>
    Task<IReadOnlyDictionary<string, string>> GetAsync(CancellationToken cancellationToken);

    /// <summary>Calls back when they have changed.</summary>
    IDisposable OnChange(Action callback);
}
