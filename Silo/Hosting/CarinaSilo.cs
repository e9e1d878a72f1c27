using System.Net;
using Carina.CsiGateway.DevicePlugin;
using Carina.CsiGateway.Hosting;
using Carina.CsiGateway.Identity;
using Carina.CsiGateway.Registration;
using Carina.CsiGateway.Transport.Sockets;
using Carina.Silo.Agents;
using Carina.Silo.Backends.Files;
using Carina.Silo.Backends.Lvm;
using Carina.Silo.Configuration;
using Carina.Silo.Disks;
using Carina.Silo.Fencing;
using Carina.Silo.Mounting;
using Carina.Silo.Processes;
using Carina.Silo.Telemetry;
using Microsoft.Extensions.Configuration.Memory;
using Orleans.Configuration;

namespace Carina.Silo.Hosting;

/// <summary>Puts the process together: Orleans silo, agent, CSI services.</summary>
public static class CarinaSilo
{
    /// <summary>What the command line's options set.</summary>
    internal static readonly IReadOnlyDictionary<string, string> Switches = new Dictionary<string, string>()
    {
        ["--role"] = "Carina:Role",
        ["--node-name"] = "Carina:NodeName",
        ["--labels"] = "Carina:Labels",
        ["--config"] = "Carina:ConfigFile",
        ["--csi-socket"] = "Carina:CsiSocket",
        ["--registration-socket"] = "Carina:RegistrationSocket",
        ["--kubelet-csi-socket"] = "Carina:KubeletCsiSocket",
        ["--state-file"] = "Carina:StateFile",
        ["--state-directory"] = "Carina:StateDirectory",
        ["--run-directory"] = "Carina:RunDirectory",
        ["--cluster-id"] = "Carina:ClusterId",
        ["--address"] = "Carina:Address",
        ["--port"] = "Carina:Port",
        ["--path-roots"] = "Carina:PathRoots",
        ["--max-volumes"] = "Carina:MaxVolumesPerNode",
        ["--report-interval"] = "Carina:ReportInterval",
        ["--probe-timeout"] = "Carina:ProbeTimeout",
        ["--lvm-devices"] = "Carina:LvmDevices",
        ["--store"] = "Carina:Store",
        ["--kubeconfig"] = "Carina:Kubeconfig",
        ["--namespace"] = "Carina:Namespace",
        ["--http-port"] = "Carina:HttpPort",
        ["--webhook-port"] = "Carina:WebhookPort",
        ["--webhook-service"] = "Carina:WebhookService",
        ["--webhook-secret"] = "Carina:WebhookSecret",
        ["--webhook-configuration"] = "Carina:WebhookConfiguration",
        ["--cert-dir"] = "Carina:WebhookCertificates",
        ["--device-plugins"] = "Carina:DevicePluginDirectory",
    };

    // Frameworks speak up about each request and probe otherwise; environment and appsettings override this.
    private static readonly Dictionary<string, string?> _quietLogs = new()
    {
        ["Logging:LogLevel:Default"] = "Information",
        ["Logging:LogLevel:Microsoft.AspNetCore"] = "Warning",
        ["Logging:LogLevel:Grpc"] = "Warning",
        ["Logging:LogLevel:Orleans"] = "Warning",
        ["Logging:LogLevel:Polly"] = "Warning",
    };

    /// <summary>Builds the process from its command line and environment.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="configure">Last word on the services; for hosts under test.</param>
    public static WebApplication Build(string[] args, Action<IServiceCollection>? configure = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.Sources.Insert(0, new MemoryConfigurationSource { InitialData = _quietLogs });
        builder.Configuration.AddCommandLine(args, Switches.ToDictionary());
        var options = ReadOptions(builder.Configuration);
        builder.Services.Configure<SiloOptions>(o => builder.Configuration.GetSection(SiloOptions.Section).Bind(o));
        builder.Services.PostConfigure<SiloOptions>(o => (o.NodeName, o.Namespace) = (options.NodeName, options.Namespace));
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddCarinaTelemetry(builder.Configuration, options);
        builder.AddStore(options);
        builder.UseOrleans(silo => ConfigureOrleans(silo, options));
        builder.AddNode(options);
        builder.AddCsi(options);
        builder.AddWebhook(options);
        builder.WebHost.ListenHttp(options);
        configure?.Invoke(builder.Services);
        var app = builder.Build();
        app.UseListenerScope();
        app.MapCarinaCsi(RoleOf(options));
        app.MapWebhook(options);
        app.MapHttp(options);
        return app;
    }

    private static CsiRole RoleOf(SiloOptions options) =>
        options.Role == SiloRole.Node ? CsiRole.Node : CsiRole.Controller;

    /// <summary>What touches disks. A controller has it too, with no pools: its agent then has nothing to say.</summary>
    private static void AddNode(this WebApplicationBuilder builder, SiloOptions options)
    {
        builder.Services.AddCarinaConfigFile(options.ConfigFile);
        builder.Services.AddSingleton<ICommandRunner, ProcessRunner>();
        builder.Services.AddDisks();
        builder.Services.AddFileBackend();
        builder.Services.AddLvmBackend();
        builder.Services.AddFencing(options.FenceFile);
        builder.Services.AddNodeVolumes(new NodeVolumesOptions
        {
            AllowedRoots = PathRoots(options),
            ScratchDirectory = Path.Combine(options.OwnRunDirectory, "mounts"),
        });
    }

    private static string[] PathRoots(SiloOptions options) =>
        options.PathRoots.Split(':', StringSplitOptions.RemoveEmptyEntries);

    private static void AddCsi(this WebApplicationBuilder builder, SiloOptions options)
    {
        builder.Services.AddSingleton<IReadiness, SiloReadiness>();
        builder.Services.AddCarinaCsi(new CsiOptions
        {
            NodeName = options.NodeName,
            AllowedPathRoots = PathRoots(options),
            MaxVolumesPerNode = options.MaxVolumesPerNode,
            Endpoint = options.CsiSocket,
        });
        builder.WebHost.ListenCsiSocket(options.CsiSocket);
        if (options.Role == SiloRole.Node && options.DevicePluginDirectory.Length > 0)
        {
            builder.Services.AddDevicePlugins(plugins =>
                (plugins.Directory, plugins.NodeName) = (options.DevicePluginDirectory, options.NodeName));
        }

        if (options.RegistrationSocket.Length > 0)
        {
            builder.Services.AddPluginRegistration(registration =>
            {
                registration.Socket = options.RegistrationSocket;
                registration.CsiSocket = options.CsiSocket;
                registration.Endpoint =
                    options.KubeletCsiSocket.Length > 0 ? options.KubeletCsiSocket : options.CsiSocket;
            });
        }
    }

    internal static SiloOptions ReadOptions(ConfigurationManager configuration)
    {
        var options = configuration.GetSection(SiloOptions.Section).Get<SiloOptions>() ?? new SiloOptions();
        if (options.NodeName.Length == 0)
        {
            options.NodeName = (options.Role == SiloRole.Controller ? configuration["POD_NAME"] : null)
                ?? configuration["NODE_NAME"] ?? "";
        }

        if (options.Namespace.Length == 0)
        {
            options.Namespace = configuration["POD_NAMESPACE"] ?? "";
        }

        return options.NodeName.Length > 0
            ? options
            : throw new ArgumentException("This process needs a name: give --node-name or set NODE_NAME.");
    }

    private static void ConfigureOrleans(ISiloBuilder silo, SiloOptions options)
    {
        silo.Configure<ClusterOptions>(cluster =>
        {
            cluster.ClusterId = options.ClusterId;
            cluster.ServiceId = "carina";
        });
        silo.Configure<Orleans.Configuration.SiloOptions>(o => o.SiloName =
            options.Role == SiloRole.Node ? options.NodeName : NodeDirectory.ControllerPrefix + options.NodeName);
        silo.ConfigureEndpoints(IPAddress.Parse(options.Address), options.Port, gatewayPort: 0);

        // By default a silent silo is declared dead in about six seconds instead of a minute (docs: limitations).
        silo.Configure<ClusterMembershipOptions>(membership =>
        {
            membership.ProbeTimeout = options.ProbeTimeout;
            membership.MinProbeTimeout = options.ProbeTimeout / 2;
            membership.MaxProbeTimeout = options.ProbeTimeout * 2;
            membership.NumMissedProbesLimit = 3;
            membership.TableRefreshTimeout = TimeSpan.FromSeconds(10);
        });

        // Half of the ledger's grace (NodeLedger.LapseGrace): no message outlives a promise's lapse.
        silo.Configure<SiloMessagingOptions>(messaging =>
        {
            messaging.ResponseTimeout = TimeSpan.FromSeconds(90);
            messaging.CancelRequestOnTimeout = true;
        });

        // The default of a million entries costs every node 18 MiB; load statistics of every silo every second cost CPU.
        silo.Configure<GrainDirectoryOptions>(directory => directory.CacheSize = 4096);
        silo.Configure<DeploymentLoadPublisherOptions>(load =>
            load.DeploymentLoadPublisherRefreshTime = TimeSpan.FromSeconds(30));
        silo.AddActivityPropagation();
        silo.AddNodeAgent();
    }
}
