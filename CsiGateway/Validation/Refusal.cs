using System.Text;
using Carina.Grains.Errors;

namespace Carina.CsiGateway.Validation;

/// <summary>
/// The refusals of the door. Each names the field, says what is wrong with it and what would be right, and never
/// repeats more of the caller's input than fits into one line.
/// </summary>
internal static class Refusal
{
    private const int MaxQuotedChars = 64;

    /// <summary>A required field is empty.</summary>
    public static StorageException Missing(string field) =>
        new(StorageErrorCode.InvalidArgument, $"{field} is missing; this call cannot be carried out without it.");

    /// <summary>A field's content can never be right.</summary>
    /// <param name="field">The field, as the specification spells it.</param>
    /// <param name="reason">Continues a sentence that begins with the field: what is wrong, and what to give.</param>
    public static StorageException Invalid(string field, string reason) =>
        new(StorageErrorCode.InvalidArgument, $"{field} {reason}");

    /// <summary>A size is well-formed but cannot be had.</summary>
    public static StorageException OutOfRange(string field, string reason) =>
        new(StorageErrorCode.OutOfRange, $"{field} {reason}");

    /// <summary>No such volume.</summary>
    public static StorageException UnknownVolume(string volumeId) =>
        new(StorageErrorCode.NotFound, $"No volume has the id {Quote(volumeId)}. It may have been deleted already.");

    /// <summary>Caller's text for a message: quoted, cut, and without control characters.</summary>
    public static string Quote(string text)
    {
        var quoted = new StringBuilder("\"", MaxQuotedChars + 8);
        foreach (var rune in text.EnumerateRunes())
        {
            if (quoted.Length > MaxQuotedChars)
            {
                quoted.Append('…');
                break;
            }

            quoted.Append(Rune.IsControl(rune) ? "\uFFFD" : rune.ToString());
        }

        return quoted.Append('"').ToString();
    }
}
