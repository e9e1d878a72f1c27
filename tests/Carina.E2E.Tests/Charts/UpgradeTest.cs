using Carina.Harness;
using Carina.Harness.Cluster;
using Carina.Harness.Kubernetes;
using k8s;

namespace Carina.E2E.Tests.Charts;

/// <summary>A test that installs something, and at the end takes it away.</summary>
[Collection(UpgradeCollection.Name)]
public abstract class UpgradeTest(UpgradeFixture fixture) : IAsyncLifetime
{
    protected static string Predecessor { get; } =
        Path.Combine(BuiltAssemblies.Root, "tests/Carina.E2E.Tests/Charts/Predecessor");

    protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    protected ControlPlane Plane => fixture.Plane;

    protected IKubernetes Admin => Plane.Admin;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await Plane.HelmAsync("uninstall", Chart.Release, "--namespace", Chart.Namespace, "--ignore-not-found");
        await Plane.KubectlAsync("delete", "secret", "mutatingwebhook", "--namespace", Chart.Namespace, "--ignore-not-found");
    }

    protected Task<string> InstallAsync(params IReadOnlyList<string> more) => RunAsync("install", Chart.Directory, more);

    protected Task<string> UpgradeAsync(params IReadOnlyList<string> more) => RunAsync("upgrade", Chart.Directory, more);

    // As Helm 3 did it, which is what such releases were made with.
    protected Task<string> InstallPredecessorAsync(params IReadOnlyList<string> more) =>
        RunAsync("install", Predecessor, ["--server-side=false", .. more]);

    /// <summary>What helm says when it refuses the upgrade.</summary>
    protected async Task<string> UpgradeRefusalAsync(params IReadOnlyList<string> more) =>
        (await Assert.ThrowsAsync<HarnessException>(() => UpgradeAsync(more))).Message;

    private Task<string> RunAsync(string verb, string chart, IReadOnlyList<string> more) =>
        Plane.HelmAsync([verb, Chart.Release, chart, "--namespace", Chart.Namespace, .. more]);
}
