using Carina.Harness.Kubernetes;

namespace Carina.E2E.Tests.Charts;

/// <summary>A control plane with two nodes, and the chart installed with the command of the operator's experiment.</summary>
public sealed class ChartFixture : IAsyncLifetime
{
    private ControlPlane? _plane;
    private FakeNodes? _nodes;
    private FakeKubelet? _kubelet;

    public ControlPlane Plane => _plane ?? throw new InvalidOperationException("The control plane is not started.");

    public async ValueTask InitializeAsync()
    {
        var stop = TestContext.Current.CancellationToken;
        _plane = await ControlPlane.StartAsync(new() { ControllerManager = true, Scheduler = true }, stop);
        _nodes = new(_plane.Admin);
        await _nodes.AddAsync(Node("node-1"), stop);
        await _nodes.AddAsync(Node("node-2"), stop);
        _kubelet = FakeKubelet.Start(_plane.Admin, _nodes);
        await _plane.HelmAsync("install", Chart.Release, Chart.Directory, "--namespace", Chart.Namespace);
    }

    public async ValueTask DisposeAsync()
    {
        if (_kubelet is not null)
        {
            await _kubelet.DisposeAsync();
        }

        if (_nodes is not null)
        {
            await _nodes.DisposeAsync();
        }

        if (_plane is not null)
        {
            Assert.Empty(await _plane.RemoveAsync());
        }
    }

    private static FakeNode Node(string name) => new(name)
    {
        Labels = new Dictionary<string, string> { ["kubernetes.io/os"] = "linux", ["kubernetes.io/hostname"] = name },
    };
}

/// <summary>Tests that look at one installation and change nothing of it.</summary>
[CollectionDefinition(Name)]
public sealed class ChartCollection : ICollectionFixture<ChartFixture>
{
    public const string Name = "chart";
}
