using Carina.CsiGateway.Identity;
using Carina.Silo.Agents;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Hosting;

/// <summary>A node is ready once it has looked at its disks; a controller once it is up, which it is when it answers.</summary>
internal sealed class SiloReadiness(DiskAgent agent, IOptions<SiloOptions> options) : IReadiness
{
    public ValueTask<bool> IsReadyAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult(options.Value.Role == SiloRole.Controller || agent.IsReady);
}
