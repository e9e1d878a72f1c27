using System.Buffers;

namespace Carina.CsiGateway.Transport.Authority;

/// <summary>Which <c>:authority</c> is left alone.</summary>
internal static class HostRule
{
    private static readonly SearchValues<byte> _nameOctets =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"u8);

    private static readonly SearchValues<byte> _digits = SearchValues.Create("0123456789"u8);

    /// <summary>What a client that has no host to name is said to have asked for.</summary>
    public static ReadOnlySpan<byte> Replacement => "localhost"u8;

    /// <summary>
    /// True for nothing at all, and for a name or IPv4 address with or without a port. This is narrower than the host of
    /// RFC 3986, section 3.2.2, and than Kestrel's own rule: on a socket file the authority means nothing, so that
    /// replacing one too many does no harm, while passing one that Kestrel refuses would cost the request.
    /// </summary>
    public static bool IsHost(ReadOnlySpan<byte> authority)
    {
        var colon = authority.IndexOf((byte)':');
        if (colon < 0)
            return !authority.ContainsAnyExcept(_nameOctets);
        var port = authority[(colon + 1)..];
        return colon > 0 && !authority[..colon].ContainsAnyExcept(_nameOctets)
            && port.Length is > 0 and <= 5 && !port.ContainsAnyExcept(_digits);
    }
}
