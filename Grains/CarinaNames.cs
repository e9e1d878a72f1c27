namespace Carina.Grains;

/// <summary>
/// Names that users, manifests and existing clusters depend on. They are the contract with Carina 0.9 to 0.14 and
/// never change.
/// </summary>
public static class CarinaNames
{
    /// <summary>CSI driver name and provisioner.</summary>
    public const string Driver = "carina.storage.io";

    /// <summary>Topology key; its value is the node's name.</summary>
    public const string TopologyKey = "topology.carina.storage.io/node";

    /// <summary>StorageClass and volume context key of the resolved pool.</summary>
    public const string DiskGroup = "carina.storage.io/disk-group-name";

    /// <summary>Spelling of <see cref="DiskGroup"/> up to Carina 0.9.1.</summary>
    public const string LegacyDiskGroup = "carina.storage.io/disk-type";

    /// <summary>StorageClass keys of a cached volume: where it is, and where its cache is.</summary>
    public const string BackendDiskGroup = "carina.storage.io/backend-disk-group-name";

    /// <inheritdoc cref="BackendDiskGroup"/>
    public const string CacheDiskGroup = "carina.storage.io/cache-disk-group-name";

    /// <summary>Spelling of <see cref="BackendDiskGroup"/> up to Carina 0.9.1.</summary>
    public const string LegacyBackendDiskGroup = "carina.storage.io/backend-disk-type";

    /// <summary>Spelling of <see cref="CacheDiskGroup"/> up to Carina 0.9.1.</summary>
    public const string LegacyCacheDiskGroup = "carina.storage.io/cache-disk-type";

    /// <summary>StorageClass key: size of the cache as a percentage of the volume's; nothing and 0 mean no cache.</summary>
    public const string CacheDiskRatio = "carina.storage.io/cache-disk-ratio";

    /// <summary>StorageClass switch: a disk of a raw group for one volume alone.</summary>
    public const string ExclusiveRawDisk = "carina.storage.io/exclusively-raw-disk";

    /// <summary>Volume context key: path of the volume's device, for people and old tools.</summary>
    public const string DevicePath = "carina.storage.io/path";

    /// <summary>Volume context key: name of the node that holds the volume.</summary>
    public const string Node = "carina.storage.io/node";

    /// <summary>Volume context keys: device number at creation time; informative only, it may change at reboot.</summary>
    public const string DeviceMajor = "carina.storage.io/major";

    /// <inheritdoc cref="DeviceMajor"/>
    public const string DeviceMinor = "carina.storage.io/minor";

    /// <summary>Mutable parameter (VolumeAttributesClass): read-ahead of the block device in KiB.</summary>
    public const string ReadAheadKiB = "carina.storage.io/read-ahead-kib";

    /// <summary>StorageClass and pod switch that opts a volume in to failover.</summary>
    public const string AllowMigration = "carina.storage.io/allow-pod-migration-if-node-notready";

    /// <summary>StorageClass key: what has to be known of the old node before failover hands the volume over.</summary>
    public const string HandOver = "carina.storage.io/failover-hand-over";

    /// <summary>
    /// Every spelling of <see cref="AllowMigration"/> that a pod may carry: today's, the one compiled into 0.10.0 by
    /// mistake, that of 0.9.1, and the one in the change log of 0.10.
    /// </summary>
    public static IReadOnlyList<string> AllowMigrationSpellings { get; } =
    [
        AllowMigration,
        "carina.stroage.io/allow-pod-migration-if-node-notready",
        "carina.io/rebuild-node-notready",
        "carina.storage.io/allow-pod-migration-if-notready",
    ];

    /// <summary>Parameter that the provisioner adds (<c>--extra-create-metadata</c>): name of the claim.</summary>
    public const string ClaimName = "csi.storage.k8s.io/pvc/name";

    /// <summary>Scheduler for pods with our volumes.</summary>
    public const string Scheduler = "carina-scheduler";

    /// <summary>Pod annotation that keeps the webhook away, whatever its value.</summary>
    public const string CustomScheduler = "carina.storage.io/custom-scheduler-plugin";

    /// <summary>Namespace label that keeps the webhook away when its value is <c>ignore</c>.</summary>
    public const string WebhookLabel = "carina.storage.io/webhook";

    /// <summary>Prefix of every volume handle and logical volume.</summary>
    public const string VolumePrefix = "volume-";

    /// <summary>Group names that the shorthands <c>ssd</c> and <c>hdd</c> stand for.</summary>
    public const string LegacyGroupPrefix = "carina-vg-";
}
