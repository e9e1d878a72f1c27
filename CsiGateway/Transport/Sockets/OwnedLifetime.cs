using Microsoft.Extensions.Hosting;

namespace Carina.CsiGateway.Transport.Sockets;

/// <summary>Of a small server within the process: signals are the business of the process's own host.</summary>
internal sealed class OwnedLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
