using System.Buffers.Text;
using System.Text;
using Carina.CsiGateway.Validation;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;

namespace Carina.CsiGateway.Controller;

/// <summary>Where a listing goes on: the id of the last volume of the page before, opaque to callers.</summary>
internal static class PageToken
{
    public static string After(string volumeId) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(volumeId));

    /// <summary>The id to continue after; null for an empty token.</summary>
    /// <exception cref="StorageException">Aborted when the token is not one of ours, so that the caller starts afresh.</exception>
    public static string? Read(string token)
    {
        if (token.Length == 0)
        {
            return null;
        }

        if (token.Length <= 2 * VolumeIds.MaxLength && Base64Url.IsValid(token))
        {
            var volumeId = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(token));
            if (VolumeIds.IsWellFormed(volumeId))
            {
                return volumeId;
            }
        }

        throw new StorageException(
            StorageErrorCode.Aborted,
            $"starting_token {Refusal.Quote(token)} was not given out by this driver; start the listing again without one.");
    }
}
