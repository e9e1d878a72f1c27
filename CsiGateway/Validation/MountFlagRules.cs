namespace Carina.CsiGateway.Validation;

/// <summary>
/// Mount options as callers give them. They may hold secrets, so messages name an option but never its value.
/// </summary>
internal static class MountFlagRules
{
    // Options of mount(8) that change what is mounted or where, which is the driver's to decide.
    private static readonly HashSet<string> _reserved =
        ["bind", "rbind", "move", "remount", "loop", "offset", "sizelimit", "X-mount.subdir"];

    /// <summary>Refuses options that no volume may be mounted with.</summary>
    public static void Check(string field, IReadOnlyList<string> flags)
    {
        long bytes = 0;
        foreach (var flag in flags)
        {
            bytes += System.Text.Encoding.UTF8.GetByteCount(flag);
            if (flag.Length == 0 || flag[0] == '-' || TextRules.HasControlCharacters(flag))
            {
                throw Refusal.Invalid(
                    field, "holds an option that is empty, begins with \"-\" or has control characters; remove it.");
            }

            foreach (var option in Options(flag))
            {
                if (_reserved.Contains(option))
                {
                    throw Refusal.Invalid(field, $"holds \"{option}\", which is the driver's to decide; remove it.");
                }
            }
        }

        if (bytes > TextRules.MaxMapBytes)
        {
            throw Refusal.Invalid(field, $"holds {bytes} bytes; at most {TextRules.MaxMapBytes} are allowed.");
        }

        if (Has(flags, "rw") && Has(flags, "ro"))
        {
            throw Refusal.Invalid(field, "holds both \"ro\" and \"rw\"; keep one of them.");
        }
    }

    /// <summary>Refuses the option <c>rw</c> where the volume is asked for read-only.</summary>
    /// <param name="field">The field of the options.</param>
    /// <param name="flags">The options.</param>
    /// <param name="because">What asks for read-only.</param>
    public static void CheckReadOnly(string field, IReadOnlyList<string> flags, string because)
    {
        if (Has(flags, "rw"))
        {
            throw Refusal.Invalid(field, $"holds \"rw\", but {because}; remove one of the two.");
        }
    }

    private static bool Has(IReadOnlyList<string> flags, string option) => flags.SelectMany(Options).Contains(option);

    // One flag may be a list. A comma inside a quoted SELinux context splits too, which harms no comparison here.
    private static IEnumerable<string> Options(string flag) =>
        flag.Split(',', StringSplitOptions.TrimEntries).Select(option => option.Split('=', 2)[0]);
}
