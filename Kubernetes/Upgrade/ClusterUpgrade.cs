using Carina.Kubernetes.Client;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Carina.Kubernetes.Upgrade;

/// <summary>
/// Brings the cluster to where this build can work, before it starts to: definitions, and objects of Carina up to 0.10.
/// Services start in the order of their registration, so nothing that is registered later sees a cluster half-way.
/// </summary>
public sealed partial class ClusterUpgrade(
    DefinitionUpgrade definitions, NamespacedVolumes volumes, TimeProvider time, ILogger<ClusterUpgrade> logger) : IHostedService
{
    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(5);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await RunAsync(cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                LogWaiting(exception.Describe());
                await Task.Delay(_pause, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>One attempt.</summary>
    /// <exception cref="InvalidOperationException">It cannot go on; the message says what has to be done first.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (await volumes.IsNeededAsync(cancellationToken).ConfigureAwait(false))
        {
            await volumes.MoveAsync(definitions.EnsureAsync, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await definitions.EnsureAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "The cluster is not ready for this version yet: {Reason} Tries again")]
    private partial void LogWaiting(string reason);
}

/// <summary>Adds the upgrade of the cluster.</summary>
public static class ClusterUpgradeExtensions
{
    /// <summary>For controllers, before everything else that starts; needs <c>AddKubernetesClient</c>.</summary>
    public static IServiceCollection AddClusterUpgrade(this IServiceCollection services)
    {
        services.AddSingleton<DefinitionUpgrade>();
        services.AddSingleton<NamespacedVolumes>();
        services.AddHostedService<ClusterUpgrade>();
        return services;
    }
}
