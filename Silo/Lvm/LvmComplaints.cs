using System.Text.RegularExpressions;

namespace Carina.Silo.Lvm;

/// <summary>
/// Sorts LVM's error messages. LVM has no error numbers for these; the phrases are those of lvm2 2.02 to 2.03 in the C
/// locale, and the tests provoke each of them.
/// </summary>
internal static partial class LvmComplaints
{
    private static readonly (Regex Phrase, LvmErrorKind Kind)[] _kinds =
    [
        (MissingDevices(), LvmErrorKind.MissingDevices),
        (NoSpace(), LvmErrorKind.NoSpace),
        (AlreadyExists(), LvmErrorKind.AlreadyExists),
        (GroupNotFound(), LvmErrorKind.GroupNotFound),
        (NotFound(), LvmErrorKind.NotFound),
        (InUse(), LvmErrorKind.InUse),
        (NotLarger(), LvmErrorKind.NotLarger),
        (Locked(), LvmErrorKind.Locked),
    ];

    public static LvmErrorKind Classify(string message) =>
        _kinds.FirstOrDefault(k => k.Phrase.IsMatch(message)).Kind;

    [GeneratedRegex("while PVs are missing|activation of partial LV|with missing PVs")]
    private static partial Regex MissingDevices();

    [GeneratedRegex("insufficient (free space|suitable)", RegexOptions.IgnoreCase)]
    private static partial Regex NoSpace();

    [GeneratedRegex("already exists")]
    private static partial Regex AlreadyExists();

    [GeneratedRegex("^Volume group \"[^\"]*\" not found")]
    private static partial Regex GroupNotFound();

    [GeneratedRegex("^Failed to find logical volume|^Logical volume .* not found in volume group")]
    private static partial Regex NotFound();

    [GeneratedRegex("in use\\.|filesystem in use|is used by another device")]
    private static partial Regex InUse();

    [GeneratedRegex("matches existing size|not larger than existing size")]
    private static partial Regex NotLarger();

    [GeneratedRegex("^Can't get lock for")]
    private static partial Regex Locked();
}
