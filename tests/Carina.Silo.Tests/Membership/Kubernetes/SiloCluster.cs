using System.Net;
using System.Net.Sockets;
using Carina.MembershipSilo;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Carina.Silo.Tests.Membership.Kubernetes;

/// <summary>Real silos in this process: each a host of its own, on loopback sockets, with the real API server.</summary>
internal sealed class SiloCluster(MembershipApi api) : IAsyncDisposable
{
    private readonly List<Member> _members = [];

    public string Id { get; } = "test-" + Guid.NewGuid().ToString("N")[..12];

    public IReadOnlyList<Member> Members => _members;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async Task<Member> StartAsync(
        string name, Func<SiloSpec, SiloSpec>? shape = null, Action<IServiceCollection>? configure = null)
    {
        var spec = new SiloSpec(
            api.Plane.Kubeconfig(MembershipApi.SiloUser), MembershipApi.Namespace, Id, name, FreePort());
        var fatal = new FatalErrors();
        var host = SiloHost.Build(shape?.Invoke(spec) ?? spec, services =>
        {
            services.AddSingleton<IFatalErrorHandler>(fatal);
            configure?.Invoke(services);
        });
        var member = new Member(name, host, fatal);
        _members.Add(member);
        await host.StartAsync(Stop).WaitAsync(TimeSpan.FromMinutes(2), Stop);
        return member;
    }

    /// <summary>Starts silos one after the other.</summary>
    public async Task StartAsync(int count, Func<SiloSpec, SiloSpec>? shape = null)
    {
        for (var i = 1; i <= count; i++)
        {
            await StartAsync($"node{i}", shape);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_members.Select(StopAsync));
        foreach (var member in _members)
        {
            member.Host.Dispose();
        }
    }

    private static async Task StopAsync(Member member)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        if (member.Fatal.Seen.Count > 0)
        {
            // A silo that was declared dead would try for a minute to leave in good order.
            await limit.CancelAsync();
        }

        try
        {
            await member.Host.StopAsync(limit.Token);
        }
        catch (Exception exception)
        {
            TestContext.Current.TestOutputHelper?.WriteLine($"{member.Name}: {exception.Message}");
        }
    }

    /// <summary>A port that nobody listens at, below those that the kernel and the harness give out.</summary>
    public static int FreePort()
    {
        while (true)
        {
            var port = Random.Shared.Next(12000, 19999);
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException)
            {
                // Taken.
            }
        }
    }

    /// <summary>One silo.</summary>
    public sealed record Member(string Name, IHost Host, FatalErrors Fatal)
    {
        public SiloAddress Address => Host.Services.GetRequiredService<ILocalSiloDetails>().SiloAddress;

        public IClusterMembershipService Membership => Host.Services.GetRequiredService<IClusterMembershipService>();

        public SiloStatus StatusOf(Member other) => Membership.CurrentSnapshot.GetSiloStatus(other.Address);

        /// <summary>
        /// Calls a grain, wherever it is, which calls every silo that this one knows to be active; the number of answers.
        /// </summary>
        public async Task<int> CallAllAsync(int grain)
        {
            var silos = Membership.CurrentSnapshot.Members.Values
                .Where(m => m.Status == SiloStatus.Active)
                .Select(m => m.SiloAddress);
            var answers = await Host.Services.GetRequiredService<IGrainFactory>()
                .GetGrain<IManagementGrain>(grain)
                .GetRuntimeStatistics([.. silos]);
            return answers.Length;
        }
    }
}
