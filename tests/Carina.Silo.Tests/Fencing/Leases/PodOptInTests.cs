using Carina.Silo.Fencing.Leases;

namespace Carina.Silo.Tests.Fencing.Leases;

/// <summary>Which pod a path belongs to.</summary>
public sealed class PodOptInTests
{
    private const string Uid = "5d1f0c1e-0000-4000-8000-000000000001";

    [Theory]
    [InlineData("/var/lib/kubelet/pods/" + Uid + "/volumes/kubernetes.io~csi/pvc-1/mount", Uid)]
    [InlineData("/var/lib/kubelet/plugins/kubernetes.io/csi/volumeDevices/publish/pvc-1/" + Uid, Uid)]
    [InlineData("/var/lib/kubelet/plugins/kubernetes.io/csi/volumeDevices/staging/pvc-1", null)]
    [InlineData("/var/lib/kubelet/pods/" + Uid + "/volumes/kubernetes.io~nfs/pvc-1/mount", null)]
    [InlineData("/var/lib/kubelet/pods//volumes/kubernetes.io~csi/pvc-1/mount", null)]
    [InlineData("/tmp/csi-mount/target", null)]
    public void A_path_names_its_pod(string path, string? uid)
    {
        Assert.Equal(uid is not null, PodOptIn.TryReadUid(path, out var read));
        if (uid is not null)
            Assert.Equal(uid, read);
    }
}
