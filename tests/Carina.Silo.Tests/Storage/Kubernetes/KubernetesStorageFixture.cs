using Carina.Harness.Cluster;
using Carina.Harness.Kubernetes;
using Carina.Kubernetes.Client;
using k8s;
using k8s.Models;

namespace Carina.Silo.Tests.Storage.Kubernetes;

/// <summary>An API server with the chart's definitions, which the tests of the stores share one after another.</summary>
public sealed class KubernetesStorageFixture : IAsyncLifetime
{
    private ControlPlane? _plane;

    /// <summary>The chart's CustomResourceDefinitions.</summary>
    public static string DefinitionDirectory { get; } = Path.Combine(BuiltAssemblies.Root, "charts/carina-csi-driver/crds");

    public ControlPlane Plane => _plane ?? throw new InvalidOperationException("The control plane is not started.");

    public async ValueTask InitializeAsync()
    {
        _plane = await ControlPlane.StartAsync(new(), TestContext.Current.CancellationToken);
        await ApplyDefinitionsAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_plane is not null)
        {
            Assert.Empty(await _plane.RemoveAsync());
        }
    }

    public async Task ApplyDefinitionsAsync()
    {
        await Plane.ApplyAsync(DefinitionDirectory);
        await Plane.KubectlAsync(
            "wait", "--for=condition=Established", "crd/logicvolumes.carina.storage.io",
            "crd/nodestorageresources.carina.storage.io", "--timeout=60s");
    }

    /// <summary>Takes all objects away, whatever holds them.</summary>
    public async Task ClearAsync()
    {
        await ClearAsync(Plane.Admin.LogicVolumes());
        await ClearAsync(Plane.Admin.NodeStorageResources());
    }

    private static async Task ClearAsync<T>(CustomObjectClient<T> objects)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var list = await objects.ListAsync(null, 10_000, default);
        await Parallel.ForEachAsync(list.Items, async (item, stop) =>
        {
            if (item.Metadata.Finalizers is { Count: > 0 })
            {
                item.Metadata.Finalizers = [];
                item = await objects.ReplaceAsync(item, stop);
            }

            if (item.Metadata.DeletionTimestamp is null)
            {
                await objects.DeleteAsync(item, stop);
            }
        });
    }
}

/// <summary>Tests that use the API server of <see cref="KubernetesStorageFixture"/>.</summary>
[CollectionDefinition(Name)]
public sealed class KubernetesStorageGroup : ICollectionFixture<KubernetesStorageFixture>
{
    public const string Name = "Kubernetes storage";
}
