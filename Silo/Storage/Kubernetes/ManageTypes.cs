using Carina.Grains.Configuration;
using Carina.Kubernetes.Resources;

namespace Carina.Silo.Storage.Kubernetes;

/// <summary>How custom resources call the kinds of pools.</summary>
internal static class ManageTypes
{
    public const string Lvm = "lvm";
    public const string Raw = "raw";
    public const string Host = "host";
    public const string File = "file";

    public static string Of(PoolPolicy policy) => policy switch
    {
        PoolPolicy.Raw => Raw,
        PoolPolicy.Host => Host,
        PoolPolicy.File => File,
        _ => Lvm,
    };

    /// <summary>The kind of pool that a LogicVolume is in. Before Carina 0.10 nothing said so, as there was only one.</summary>
    public static string Of(LogicVolume item) => item.Spec.ManageType
        ?? (item.Metadata.Annotations?.TryGetValue(CarinaApi.ManageType, out var annotated) == true && annotated is Raw or Host
            ? annotated
            : Lvm);

    public static PoolPolicy PolicyOf(string manageType) => manageType switch
    {
        Raw => PoolPolicy.Raw,
        Host => PoolPolicy.Host,
        File => PoolPolicy.File,
        _ => PoolPolicy.Lvm,
    };
}
