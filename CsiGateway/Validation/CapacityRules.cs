using Csi.V1;

namespace Carina.CsiGateway.Validation;

/// <summary>Sizes in bytes that callers ask for.</summary>
/// <param name="RequiredBytes">Bytes at least.</param>
/// <param name="LimitBytes">Bytes at most; 0 means no limit.</param>
internal readonly record struct RequestedSize(long RequiredBytes, long LimitBytes);

/// <summary>Capacity ranges. A range that contradicts itself is invalid; a size that cannot be had is out of range.</summary>
internal static class CapacityRules
{
    /// <summary>Size of a volume of which the caller does not say the size: 1 GiB.</summary>
    public const long DefaultBytes = 1L << 30;

    /// <summary>Largest volume: 1 EiB, what ext4 can address. Rounding up cannot overflow from here.</summary>
    public const long MaximumBytes = 1L << 60;

    private const string Required = "capacity_range.required_bytes";
    private const string Limit = "capacity_range.limit_bytes";

    /// <summary>The size of a new volume, at least what its file system needs.</summary>
    /// <param name="range">The range; null when the caller gave none.</param>
    /// <param name="fileSystem">File system in lower case; empty for block volumes.</param>
    public static RequestedSize ReadNew(CapacityRange? range, string fileSystem)
    {
        var size = ReadForm(range);
        var required = size.RequiredBytes;
        if (required == 0)
        {
            required = size.LimitBytes == 0 ? DefaultBytes : Math.Min(DefaultBytes, size.LimitBytes);
        }

        var minimum = FileSystems.MinimumBytes(fileSystem);
        if (size.LimitBytes != 0 && size.LimitBytes < minimum)
        {
            throw Refusal.OutOfRange(
                Limit, $"is {size.LimitBytes}, but {fileSystem} needs at least {minimum} bytes; raise the limit.");
        }

        return size with { RequiredBytes = Math.Max(required, minimum) };
    }

    /// <summary>The size a volume is to grow to.</summary>
    public static RequestedSize ReadExpansion(CapacityRange? range)
    {
        var size = range is null ? throw Refusal.Missing("capacity_range") : ReadForm(range);
        return size is { RequiredBytes: 0, LimitBytes: 0 } ? throw Refusal.Missing(Required) : size;
    }

    /// <summary>Checks that a range makes sense and could be had at all; null is an empty range.</summary>
    public static RequestedSize ReadForm(CapacityRange? range)
    {
        var required = range?.RequiredBytes ?? 0;
        var limit = range?.LimitBytes ?? 0;
        if (required < 0)
        {
            throw Refusal.Invalid(Required, $"is {required}; a size cannot be negative.");
        }

        if (limit < 0)
        {
            throw Refusal.Invalid(Limit, $"is {limit}; a limit cannot be negative (0 means none).");
        }

        if (limit != 0 && limit < required)
        {
            throw Refusal.Invalid(
                Limit, $"is {limit}, which is less than capacity_range.required_bytes, {required}; raise the limit.");
        }

        return required <= MaximumBytes
            ? new(required, limit)
            : throw Refusal.OutOfRange(Required, $"is {required}; a volume can have at most {MaximumBytes} bytes.");
    }
}
