namespace Carina.Kubernetes.Resources;

/// <summary>The custom resources' names; users' scripts and existing clusters depend on them.</summary>
public static class CarinaApi
{
    public const string Group = "carina.storage.io";

    public const string LogicVolumeKind = "LogicVolume";
    public const string LogicVolumeVersion = "v1";
    public const string LogicVolumePlural = "logicvolumes";

    public const string NodeStorageResourceKind = "NodeStorageResource";
    public const string NodeStorageResourceVersion = "v1beta1";
    public const string NodeStorageResourcePlural = "nodestorageresources";

    /// <summary>Keeps a LogicVolume while its volume exists.</summary>
    public const string Finalizer = "carina.storage.io/logicvolume";

    /// <summary>Annotation of a LogicVolume: how its pool makes volumes; absent means <c>lvm</c>.</summary>
    public const string ManageType = "carina.io/volume-manage-type";

    /// <summary>Annotation of a LogicVolume: when it was last asked to grow.</summary>
    public const string ResizeRequestedAt = "carina.storage.io/resize-requested-at";

    /// <summary>Keys of a node's capacity start with this; the pool's name follows.</summary>
    public const string CapacityPrefix = "carina.storage.io/";
}
