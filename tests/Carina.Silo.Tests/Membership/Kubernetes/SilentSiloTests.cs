using System.Diagnostics;
using System.Globalization;
using Carina.Harness.Kubernetes;
using Carina.Harness.Processes;
using Carina.MembershipSilo;
using Carina.Silo.Membership;
using Carina.Silo.Membership.Kubernetes;
using k8s;

namespace Carina.Silo.Tests.Membership.Kubernetes;

/// <summary>Silos, each a process of its own, that fall silent: their machine is gone, they hang, or they starve.</summary>
[Collection(MembershipApiCollection.Name)]
public sealed class SilentSiloTests(MembershipApi api, ITestOutputHelper output) : IAsyncLifetime
{
    private const int Silos = 5;

    private readonly string _id = "test-" + Guid.NewGuid().ToString("N")[..12];
    private readonly List<SiloProcess> _silos = [];
    private readonly IKubernetes _client = api.Client();
    private KubernetesMembershipDocuments _documents = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _documents = api.Documents(_client);
        await _documents.EnsureAsync(_id, Stop);
        for (var i = 1; i <= Silos; i++)
        {
            _silos.Add(Start(i));
        }

        await SeeRowsAsync(rows => rows.Count(r => r.Status == nameof(SiloStatus.Active)) == Silos);

        // Probes are under way.
        await Task.Delay(TimeSpan.FromSeconds(10), Stop);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _silos)
        {
            await process.KillAsync(CancellationToken.None);
            await process.DisposeAsync();
        }

        _client.Dispose();
    }

    [Fact]
    public async Task One_whose_machine_is_gone_is_declared_dead_and_ends_when_it_wakes()
    {
        var victim = _silos[^1];
        await RouteAsync("add", Silos);
        try
        {
            victim.Freeze();
            var clock = Stopwatch.StartNew();
            var rows = await SeeRowsAsync(rows => rows.Any(r => r.Status == nameof(SiloStatus.Dead)));
            output.WriteLine($"declared dead after {Seconds(clock)} s");
            Assert.Equal(victim.Name, rows.Single(r => r.Status == nameof(SiloStatus.Dead)).SiloName);
            Assert.Equal(Silos - 1, rows.Count(r => r.Status == nameof(SiloStatus.Active)));
        }
        finally
        {
            await RouteAsync("del", Silos);
        }

        victim.Thaw();
        var waking = Stopwatch.StartNew();
        await Eventually.ReadAsync("the dead one to end", () => Task.FromResult(victim.HasExited), ended => ended, Stop);
        output.WriteLine($"ended {Seconds(waking)} s after it woke");
        Assert.All(_silos.SkipLast(1), p => Assert.False(p.HasExited));
    }

    [Fact]
    public async Task One_that_hangs_for_a_while_on_a_machine_that_answers_is_waited_for()
    {
        _silos[^1].Freeze();

        // Twice as long as a machine that is gone has until it is declared dead.
        await Task.Delay(TimeSpan.FromSeconds(14), Stop);
        _silos[^1].Thaw();
        await Task.Delay(TimeSpan.FromSeconds(5), Stop);
        await RequireAllActiveAsync();
    }

    [Fact]
    public async Task Without_processor_time_nobody_is_declared_dead()
    {
        var burners = Enumerable.Range(0, 8 * Environment.ProcessorCount)
            .Select(_ => Process.Start(new ProcessStartInfo("sh", ["-c", "while :; do :; done"]))!)
            .ToList();
        try
        {
            await Task.Delay(TimeSpan.FromSeconds(60), Stop);
        }
        finally
        {
            foreach (var burner in burners)
            {
                burner.Kill();
                await burner.WaitForExitAsync(CancellationToken.None);
                burner.Dispose();
            }
        }

        await RequireAllActiveAsync();
    }

    private async Task RequireAllActiveAsync()
    {
        var rows = (await _documents.ReadAsync(_id, Stop)).Document.Rows.Values;
        Assert.All(rows, row => Assert.Equal((nameof(SiloStatus.Active), 0), (row.Status, row.Suspects.Count)));
        Assert.Equal(Silos, rows.Count());
        Assert.All(_silos, silo => Assert.False(silo.HasExited));
    }

    private SiloProcess Start(int number) => SiloProcess.Start(
        $"node{number}",
        typeof(SiloSpec).Assembly.Location,
        [
            api.Plane.Kubeconfig(MembershipApi.SiloUser), MembershipApi.Namespace, _id, $"node{number}", AddressOf(number),
            SiloCluster.FreePort().ToString(CultureInfo.InvariantCulture),
        ],
        new Dictionary<string, string>(),
        Path.Combine(api.Plane.LogDirectory, $"{_id}-node{number}.log"));

    private static string AddressOf(int number) => $"127.77.0.{number}";

    /// <summary>Nothing gets to this address any more, connections that are there included: as if it had no power.</summary>
    private static async Task RouteAsync(string verb, int number) => await Command.RunAsync(
        "ip", ["route", verb, "blackhole", AddressOf(number) + "/32", "table", "local"], CancellationToken.None);

    private async Task<List<MembershipRow>> SeeRowsAsync(Func<List<MembershipRow>, bool> isRight) =>
        await Eventually.ReadAsync(
            "rows",
            async () => (await _documents.ReadAsync(_id, Stop)).Document.Rows.Values.ToList(),
            isRight,
            Stop,
            TimeSpan.FromMinutes(3));

    private static string Seconds(Stopwatch clock) => clock.Elapsed.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
}
