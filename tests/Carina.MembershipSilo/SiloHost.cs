using System.Collections.Concurrent;
using System.Net;
using Carina.Kubernetes.Client;
using Carina.Silo.Membership.Kubernetes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;

namespace Carina.MembershipSilo;

/// <summary>A silo with membership on Kubernetes and nothing else.</summary>
internal sealed record SiloSpec(string Kubeconfig, string Namespace, string ClusterId, string Name, int Port)
{
    public int GatewayPort { get; init; }

    public string Address { get; init; } = "127.0.0.1";

    public string PodName { get; init; } = "";

    public string PodUid { get; init; } = "";

    /// <summary>How often the table is read in any case.</summary>
    public TimeSpan TableRefresh { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Whether silos tell each other of changes.</summary>
    public bool Gossip { get; init; } = true;

    public bool WatchesDeletions { get; init; }
}

/// <summary>Makes such silos: in the process of a test, or as a process of their own, which can be frozen.</summary>
internal static class SiloHost
{
    public static IHost Build(SiloSpec spec, Action<IServiceCollection>? configure = null)
    {
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.AddSimpleConsole();
        builder.Logging.SetMinimumLevel(LogLevel.Error);
        builder.Services.AddSingleton(TimeProvider.System);
        configure?.Invoke(builder.Services);
        builder.Services.AddKubernetesClient(options =>
        {
            options.Kubeconfig = spec.Kubeconfig;
            options.Namespace = spec.Namespace;
        });
        builder.UseOrleans(silo => Configure(silo, spec));
        builder.Services.AddKubernetesMembership(options =>
        {
            options.PodName = spec.PodName;
            options.PodUid = spec.PodUid;
        });
        if (spec.WatchesDeletions)
        {
            builder.Services.AddKubernetesDeletionWatch();
        }

        return builder.Build();
    }

    private static void Configure(ISiloBuilder silo, SiloSpec spec)
    {
        silo.Configure<ClusterOptions>(cluster => (cluster.ClusterId, cluster.ServiceId) = (spec.ClusterId, "carina"));
        silo.Configure<SiloOptions>(options => options.SiloName = spec.Name);
        silo.ConfigureEndpoints(IPAddress.Parse(spec.Address), spec.Port, spec.GatewayPort);
        silo.Configure<GrainDirectoryOptions>(directory => directory.CacheSize = 1024);
        silo.Configure<ClusterMembershipOptions>(membership =>
        {
            // As CarinaSilo.
            membership.ProbeTimeout = TimeSpan.FromSeconds(1);
            membership.MinProbeTimeout = TimeSpan.FromSeconds(0.5);
            membership.MaxProbeTimeout = TimeSpan.FromSeconds(2);
            membership.NumMissedProbesLimit = 3;
            membership.TableRefreshTimeout = spec.TableRefresh;
            membership.UseLivenessGossip = spec.Gossip;
            membership.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(5);
        });
    }
}

/// <summary>Notes what would have ended a silo's process.</summary>
internal sealed class FatalErrors : IFatalErrorHandler
{
    private readonly ConcurrentQueue<string> _seen = new();

    public IReadOnlyCollection<string> Seen => _seen;

    public bool IsUnexpected(Exception exception) => exception is not (OperationCanceledException or ObjectDisposedException);

    public void OnFatalException(object? sender, string? context, Exception? exception) =>
        _seen.Enqueue($"{context} {exception}");
}
