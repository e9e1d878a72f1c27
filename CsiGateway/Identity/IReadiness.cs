namespace Carina.CsiGateway.Identity;

/// <summary>Whether this process can serve volumes now; what Probe answers.</summary>
public interface IReadiness
{
    /// <summary>False while something that calls need is still coming up.</summary>
    ValueTask<bool> IsReadyAsync(CancellationToken cancellationToken);
}
