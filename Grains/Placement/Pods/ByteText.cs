using System.Globalization;

namespace Carina.Grains.Placement.Pods;

/// <summary>
/// Bytes for people. What is left is rounded down and what is asked for up, so that a message never says that the same
/// number is not enough.
/// </summary>
internal static class ByteText
{
    private static readonly (long Bytes, string Name)[] _units = [(1L << 30, "GiB"), (1L << 20, "MiB"), (1L << 10, "KiB")];

    public static string Left(Int128 bytes) => Write(bytes, up: false);

    public static string Asked(Int128 bytes) => Write(bytes, up: true);

    private static string Write(Int128 bytes, bool up)
    {
        foreach (var (unit, name) in _units)
        {
            if (bytes >= unit)
            {
                var hundredths = bytes * 100 / unit + (up && bytes * 100 % unit > 0 ? 1 : 0);
                return ((decimal)hundredths / 100).ToString("0.##", CultureInfo.InvariantCulture) + " " + name;
            }
        }

        return bytes == 0 ? "nothing" : string.Create(CultureInfo.InvariantCulture, $"{bytes} bytes");
    }
}
