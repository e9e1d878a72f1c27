using Carina.Harness.Kubelet;
using Carina.Harness.Sidecars;

namespace Carina.E2E.Tests.Clusters;

/// <summary>A pod with one volume. Disposing of it unpublishes and unstages.</summary>
public sealed class Pod : IAsyncDisposable
{
    private readonly KubeletSim _kubelet;
    private readonly PersistentVolume _volume;
    private bool _ended;

    private Pod(KubeletSim kubelet, PersistentVolume volume, string path)
    {
        (_kubelet, _volume, Path) = (kubelet, volume, path);
    }

    public required string Uid { get; init; }

    /// <summary>Where the pod sees the volume: a directory or a block device.</summary>
    public string Path { get; }

    /// <summary>A file on the volume; the device itself where the volume is one.</summary>
    public string File(string name) => _volume.Request.Block ? Path : System.IO.Path.Combine(Path, name);

    public static async Task<Pod> StartAsync(KubeletSim kubelet, PersistentVolume volume, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(kubelet);
        var uid = Guid.NewGuid().ToString();
        await kubelet.StageAsync(volume, cancellationToken);
        var path = await kubelet.PublishAsync(volume, uid, cancellationToken);
        return new(kubelet, volume, path) { Uid = uid };
    }

    public async ValueTask DisposeAsync()
    {
        if (!_ended)
        {
            _ended = true;
            await _kubelet.UnpublishAsync(_volume, Uid, CancellationToken.None);
            await _kubelet.UnstageAsync(_volume, CancellationToken.None);
        }
    }
}
