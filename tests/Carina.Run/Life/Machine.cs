using System.Globalization;

namespace Carina.Run.Life;

/// <summary>What this machine allows.</summary>
internal static class Machine
{
    // capabilities(7), linux/capability.h.
    private const int SysResource = 24;

    /// <summary>The kernel wants CAP_SYS_RESOURCE of whoever grows a mounted ext4; some containers take it from root.</summary>
    public static bool MayGrowMountedExt4 { get; } = ((ReadEffective() >> SysResource) & 1) == 1;

    private static ulong ReadEffective()
    {
        const string Field = "CapEff:";
        var line = File.ReadLines("/proc/self/status").First(l => l.StartsWith(Field, StringComparison.Ordinal));
        return ulong.Parse(line[Field.Length..].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }
}
