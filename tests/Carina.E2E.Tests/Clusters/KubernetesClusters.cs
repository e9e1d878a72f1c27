using Carina.Harness.Cluster;
using Carina.Harness.Kubernetes;
using Carina.Harness.Policies;

namespace Carina.E2E.Tests.Clusters;

/// <summary>Three FILE nodes whose truth is in custom resources of a real API server.</summary>
public sealed class ThreeKubernetesNodes() : ThreeNodes(StoragePolicy.File)
{
    private KubernetesTruth? _truth;

    public KubernetesTruth Truth => _truth ?? throw new InvalidOperationException("The API server is not started.");

    public override async ValueTask InitializeAsync()
    {
        _truth = await KubernetesTruth.StartAsync(base.Describe(StoragePolicy.File).Nodes, alive: false, TestContext.Current.CancellationToken);
        await base.InitializeAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (_truth is not null)
        {
            await _truth.DisposeAsync();
        }
    }

    protected override ClusterOptions Describe(StoragePolicy policy) =>
        base.Describe(policy) with { Kubernetes = Truth.Store };
}

/// <summary>Tests that share three nodes with their truth in Kubernetes.</summary>
[CollectionDefinition(Name)]
public sealed class KubernetesCollection : ICollectionFixture<ThreeKubernetesNodes>
{
    public const string Name = "three nodes in Kubernetes";
}
