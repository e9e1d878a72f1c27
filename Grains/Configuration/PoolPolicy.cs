namespace Carina.Grains.Configuration;

/// <summary>How a pool turns disks into volumes (<c>diskSelector[].policy</c>).</summary>
[GenerateSerializer]
[Alias("carina.PoolPolicy")]
public enum PoolPolicy
{
    /// <summary>A volume group; volumes are linear logical volumes.</summary>
    Lvm,

    /// <summary>A directory; volumes are sparse files behind loop devices.</summary>
    File,

    /// <summary>Raw disks; volumes are GPT partitions.</summary>
    Raw,

    /// <summary>A directory; volumes are its sub-directories.</summary>
    Host,
}
