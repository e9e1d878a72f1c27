namespace Carina.Silo.Storage.Kubernetes;

/// <summary>Parameters that the provisioner adds (<c>--extra-create-metadata</c>): whom a volume is for.</summary>
internal static class VolumeParameters
{
    public const string ClaimName = Grains.CarinaNames.ClaimName;
    public const string ClaimNamespace = "csi.storage.k8s.io/pvc/namespace";
    public const string VolumeName = "csi.storage.k8s.io/pv/name";
}
