using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Kubernetes.Resources;
using k8s.Models;

namespace Carina.Silo.Storage.Kubernetes;

/// <summary>A volume's record as a LogicVolume, and back.</summary>
internal static class LogicVolumeMapping
{
    private const string Filesystem = "Filesystem";
    private const string Block = "Block";

    /// <summary>Writes a record into an object; whatever else the object holds stays.</summary>
    public static void Apply(VolumeRecord record, LogicVolume item)
    {
        var name = item.Metadata.Name;
        var spec = item.Spec;
        spec.NodeName = NullIfEmpty(record.NodeName);
        spec.DeviceGroup = NullIfEmpty(record.Pool);
        spec.Size = new Quantity(record.TargetBytes);
        spec.Pvc = NullIfEmpty(record.Parameters.GetValueOrDefault(VolumeParameters.ClaimName, spec.Pvc ?? ""));
        spec.NameSpace = NullIfEmpty(record.Parameters.GetValueOrDefault(VolumeParameters.ClaimNamespace, spec.NameSpace ?? ""));
        spec.VolumeName = record.Name == name ? null : record.Name;
        spec.VolumeId = record.VolumeId == LogicVolumeNames.DefaultHandle(name) ? null : record.VolumeId;
        spec.State = record.State.ToString();
        spec.ManageType = ManageTypes.Of(record.Policy);
        spec.AllocatedSize = record.Bytes > 0 ? new Quantity(record.Bytes) : null;
        spec.VolumeGeneration = record.Generation;
        spec.VolumeMode = record.Access switch
        {
            VolumeAccess.Block => Block,
            VolumeAccess.FileSystem => Filesystem,
            _ => null,
        };
        spec.FsType = NullIfEmpty(record.FileSystem);
        spec.DevicePath = NullIfEmpty(record.DevicePath);
        spec.CreatedAt = Timestamps.Format(record.CreatedAt);
        spec.CapacityRange = new LogicVolumeCapacityRange
        {
            RequiredBytes = record.RequestedBytes,
            LimitBytes = record.LimitBytes > 0 ? record.LimitBytes : null,
        };
        spec.Parameters = NullIfEmpty(record.Parameters);
        spec.MutableParameters = NullIfEmpty(record.MutableParameters);
        spec.PublishedNodes = NullIfEmpty(record.PublishedNodes
            .OrderBy(p => p.Key, StringComparer.Ordinal)
            .Select(p => new LogicVolumePublication { NodeName = p.Key, ReadOnly = p.Value }));
        spec.AbandonedPlaces = NullIfEmpty(record.Abandoned.Select(a =>
            new LogicVolumePlace { NodeName = a.NodeName, DeviceGroup = a.Pool, VolumeGeneration = a.Generation }));
        LogicVolumeMoveMapping.Apply(record, spec);
        spec.Checksum = SpecChecksum.Of(spec);
        item.EnsureMetadata().EnsureAnnotations()[CarinaApi.ManageType] = spec.ManageType;
        if (item.Metadata.Finalizers?.Contains(CarinaApi.Finalizer) != true)
        {
            item.Metadata.Finalizers = [.. item.Metadata.Finalizers ?? [], CarinaApi.Finalizer];
        }
    }

    /// <summary>Reads the record of an object that was found acceptable.</summary>
    /// <exception cref="StorageException">FailedPrecondition when a field holds what it cannot hold.</exception>
    public static VolumeRecord Read(LogicVolume item) => item.Spec.IsLegacy ? ReadLegacy(item) : ReadOurs(item);

    private static VolumeRecord ReadOurs(LogicVolume item)
    {
        var spec = item.Spec;
        return LogicVolumeMoveMapping.Read(item, new VolumeRecord
        {
            VolumeId = LogicVolumeNames.HandleOf(item),
            Name = spec.VolumeName ?? item.Metadata.Name,
            State = Enum.TryParse<VolumeState>(spec.State, out var state)
                ? state
                : throw Unreadable(item, "state", spec.State ?? ""),
            NodeName = spec.NodeName ?? "",
            Pool = spec.DeviceGroup ?? "",
            Policy = ManageTypes.PolicyOf(ManageTypes.Of(item)),
            Bytes = spec.AllocatedSize is { } allocated ? BytesOf(item, "allocatedSize", allocated) : 0,
            TargetBytes = BytesOf(item, "size", spec.Size),
            Generation = spec.VolumeGeneration ?? throw Unreadable(item, "volumeGeneration", ""),
            Access = spec.VolumeMode switch
            {
                Block => VolumeAccess.Block,
                Filesystem => VolumeAccess.FileSystem,
                _ => VolumeAccess.Unknown,
            },
            FileSystem = spec.FsType ?? "",
            Parameters = Copy(spec.Parameters),
            MutableParameters = Copy(spec.MutableParameters),
            PublishedNodes = (spec.PublishedNodes ?? []).ToDictionary(p => p.NodeName, p => p.ReadOnly, StringComparer.Ordinal),
            CreatedAt = Timestamps.TryParse(spec.CreatedAt, out var created) ? created : CreationOf(item),
            DevicePath = spec.DevicePath ?? "",
            RequestedBytes = spec.CapacityRange?.RequiredBytes ?? 0,
            LimitBytes = spec.CapacityRange?.LimitBytes ?? 0,
            Abandoned = [.. (spec.AbandonedPlaces ?? []).Select(p => new AbandonedPlace(p.NodeName, p.DeviceGroup, p.VolumeGeneration))],
        });
    }

    /// <summary>
    /// An object as Carina 0.9 to 0.14 wrote it: the volume exists once status says its handle, and what was not
    /// written down (access, file system) stays unknown.
    /// </summary>
    private static VolumeRecord ReadLegacy(LogicVolume item)
    {
        var spec = item.Spec;
        var handle = LogicVolumeNames.HandleOf(item);
        var size = BytesOf(item, "size", spec.Size);
        var policy = ManageTypes.PolicyOf(ManageTypes.Of(item));
        var exists = !string.IsNullOrEmpty(item.Status?.VolumeId);
        var current = item.Status?.CurrentSize?.Bytes is > 0 and { } bytes ? bytes : size;
        return new VolumeRecord
        {
            VolumeId = handle,
            Name = item.Metadata.Name,
            State = exists ? VolumeState.Ready : VolumeState.Creating,
            NodeName = spec.NodeName ?? "",
            Pool = spec.DeviceGroup ?? "",
            Policy = policy,
            Bytes = exists ? current : 0,
            TargetBytes = exists ? Math.Max(size, current) : size,
            Generation = 1,
            Access = VolumeAccess.Unknown,
            Parameters = LegacyParameters(item),
            CreatedAt = CreationOf(item),
            DevicePath = policy == PoolPolicy.Lvm ? $"/dev/{spec.DeviceGroup}/{handle}" : "",
            RequestedBytes = size,
        };
    }

    private static Dictionary<string, string> LegacyParameters(LogicVolume item)
    {
        var parameters = new Dictionary<string, string> { [VolumeParameters.VolumeName] = item.Metadata.Name };
        if (item.Spec.Pvc is { Length: > 0 } claim)
        {
            parameters[VolumeParameters.ClaimName] = claim;
            parameters[VolumeParameters.ClaimNamespace] = item.Spec.NameSpace ?? "";
        }

        return parameters;
    }

    internal static long BytesOf(LogicVolume item, string field, Quantity value) =>
        value.Bytes is > 0 and { } bytes ? bytes : throw Unreadable(item, field, value.ToString());

    internal static StorageException Unreadable(LogicVolume item, string field, string value) => new(
        StorageErrorCode.FailedPrecondition,
        $"LogicVolume '{item.Metadata.Name}': spec.{field} is '{value}', which cannot be. Nothing is done with the volume until it is put right.");

    private static DateTimeOffset CreationOf(LogicVolume item) =>
        item.Metadata.CreationTimestamp is { } created ? new DateTimeOffset(created.ToUniversalTime()) : default;

    private static Dictionary<string, string> Copy(IDictionary<string, string>? map) =>
        (map ?? new Dictionary<string, string>()).ToDictionary(p => p.Key, p => p.Value ?? "", StringComparer.Ordinal);

    internal static string? NullIfEmpty(string text) => text.Length > 0 ? text : null;

    private static SortedDictionary<string, string>? NullIfEmpty(Dictionary<string, string> map) =>
        map.Count > 0 ? new(map, StringComparer.Ordinal) : null;

    internal static List<T>? NullIfEmpty<T>(IEnumerable<T> items) => items.ToList() is { Count: > 0 } list ? list : null;
}
