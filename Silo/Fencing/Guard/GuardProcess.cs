using System.ComponentModel;
using System.Diagnostics;
using Carina.Grains.Volumes;
using Carina.Silo.Backends.Files;
using Carina.Silo.Backends.Lvm;
using Carina.Silo.Fencing.Leases;
using Carina.Silo.Hosting;
using Carina.Silo.Lvm;
using Carina.Silo.Mounting;
using Carina.Silo.Processes;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Fencing.Guard;

/// <summary>
/// The process beside the silo that <see cref="FenceGuard"/> runs in: <c>Carina.Silo guard</c>, with the silo's arguments.
/// No Orleans, no web server, nothing that another machine could hold up.
/// </summary>
public static partial class GuardProcess
{
    /// <summary>First argument of the command line.</summary>
    public const string Verb = "guard";

    private const string OwnDirectory = "guard";
    private static readonly TimeSpan _patience = TimeSpan.FromHours(1);

    /// <summary>Builds the process from its command line, without the verb, and environment.</summary>
    public static IHost Build(string[] args)
    {
        var refusal = RaisePriority();
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Configuration.AddEnvironmentVariables();
        builder.Configuration.AddCommandLine(args, new Dictionary<string, string>(CarinaSilo.Switches)
        {
            ["--watchdog"] = $"{GuardOptions.Section}:{nameof(GuardOptions.Watchdog)}",
        });
        builder.Logging.AddConfiguration(builder.Configuration.GetSection("Logging"));
        builder.Logging.AddSimpleConsole(console => console.SingleLine = true);
        var options = CarinaSilo.ReadOptions(builder.Configuration);
        builder.Services.AddSingleton(Options.Create(options));
        builder.Services.AddOptions<GuardOptions>().Bind(builder.Configuration.GetSection(GuardOptions.Section));
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = _patience);
        builder.Services.AddGuard(options);
        var host = builder.Build();
        if (refusal.Length > 0)
            LogNoPriority(host.Services.GetRequiredService<ILogger<FenceGuard>>(), refusal);

        return host;
    }

    /// <summary>
    /// On a node that has no processor time to spare, this process has a deadline to keep. Before any other thread is
    /// started: threads inherit it.
    /// </summary>
    /// <returns>Why it was refused; empty when it was not.</returns>
    private static string RaisePriority()
    {
        try
        {
            using var self = Process.GetCurrentProcess();
            self.PriorityClass = ProcessPriorityClass.RealTime;
            return "";
        }
        catch (Win32Exception exception)
        {
            return exception.Message;
        }
    }

    [LoggerMessage(20, LogLevel.Warning, "The guard process runs with ordinary priority ({Reason}); on a busy node it may come late")]
    private static partial void LogNoPriority(ILogger logger, string reason);

    /// <summary>Path of the file in which a silo of these options says what it has promised.</summary>
    internal static string DeadlineFileOf(SiloOptions options) => Path.Combine(options.OwnRunDirectory, "lease.json");

    private static void AddGuard(this IServiceCollection services, SiloOptions options)
    {
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<ICommandRunner, ProcessRunner>();
        services.AddSingleton<ICrashPoints, NoCrashPoints>();
        services.AddFileBackend();

        // The silo's own directory is nobody else's to write to.
        services.AddSingleton(new LvmOptions { Directory = Path.Combine(options.OwnRunDirectory, OwnDirectory, "lvm") });
        services.AddSingleton<IBlankDisks, NoBlankDisks>();
        services.AddLvmBackend();
        services.AddSingleton<MountCalls>();
        services.AddSingleton(new NodeVolumesOptions
        {
            AllowedRoots = options.PathRoots.Split(':', StringSplitOptions.RemoveEmptyEntries),
            ScratchDirectory = Path.Combine(options.OwnRunDirectory, OwnDirectory, "mounts"),
        });
        services.AddSingleton<ICommandsUnderWay, NoCommands>();
        services.AddFencing(options.FenceFile, "." + OwnDirectory);
        services.AddSingleton<ICutCheck, CutCheck>();
        services.AddSingleton<ILeaseClock, BootClock>();
        services.AddSingleton(new DeadlineFile(DeadlineFileOf(options)));
        services.AddSingleton(new GuardedFile(options.GuardFile));
        services.AddSingleton(new GuardFiles(options.OwnRunDirectory));
        services.AddSingleton<GuardBeat>();
        services.AddSingleton<IWatchdog>(provider =>
            provider.GetRequiredService<IOptions<GuardOptions>>().Value.Watchdog is { Length: > 0 } path ? new KernelWatchdog(path) : new NoWatchdog());
        services.AddHostedService<FenceGuard>();
    }

    /// <summary>The guard makes no pools.</summary>
    private sealed class NoBlankDisks : IBlankDisks
    {
        public Task<IReadOnlyList<CandidateDisk>> FindAsync(CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<CandidateDisk>>([]);
    }

    /// <summary>This process changes no volumes; what the silo had begun is seen to by looking again.</summary>
    private sealed class NoCommands : ICommandsUnderWay
    {
        public Task WhenNoneRuns(string volumeId) => Task.CompletedTask;
    }
}
