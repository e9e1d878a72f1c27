using Microsoft.Extensions.Hosting;

namespace Carina.CsiGateway.Identity;

/// <summary>Ready from the moment when all hosted services (the silo among them) have started until they stop.</summary>
internal sealed class HostReadiness(IHostApplicationLifetime lifetime) : IReadiness
{
    public ValueTask<bool> IsReadyAsync(CancellationToken cancellationToken) => ValueTask.FromResult(
        lifetime.ApplicationStarted.IsCancellationRequested && !lifetime.ApplicationStopping.IsCancellationRequested);
}
