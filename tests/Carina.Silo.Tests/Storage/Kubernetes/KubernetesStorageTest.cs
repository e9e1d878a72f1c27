using Carina.Grains.Nodes;
using Carina.Grains.Storage;
using Carina.Grains.Volumes;
using Carina.Harness.Kubernetes;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Resources;
using Carina.Silo.Storage.Kubernetes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carina.Silo.Tests.Storage.Kubernetes;

/// <summary>What tests of the stores need of the API server.</summary>
internal static class KubernetesStorageTest
{
    public static CustomObjectClient<LogicVolume> LogicVolumes(this ControlPlane plane) => plane.Admin.LogicVolumes();

    public static CustomObjectClient<NodeStorageResource> Nodes(this ControlPlane plane) => plane.Admin.NodeStorageResources();

    public static IRecordStore<VolumeRecord> VolumeStore(this ControlPlane plane) =>
        new LogicVolumeStore(plane.Admin, TimeProvider.System, NullLogger<LogicVolumeStore>.Instance);

    public static IRecordStore<NodeRecord> NodeStore(this ControlPlane plane) =>
        new NodeStorageStore(plane.Admin, TimeProvider.System);

    /// <summary>kubectl patch --type=merge.</summary>
    public static Task<string> PatchAsync(this ControlPlane plane, string kind, string name, string json) =>
        plane.KubectlAsync("patch", kind, name, "--type=merge", "--patch", json);

    /// <summary>kubectl apply of a text.</summary>
    public static async Task<string> ApplyTextAsync(this ControlPlane plane, string yaml)
    {
        var path = Path.Combine(plane.Directory, Path.GetRandomFileName() + ".yaml");
        await File.WriteAllTextAsync(path, yaml);
        return await plane.ApplyAsync(path);
    }
}
