using System.Text;

namespace Carina.CsiGateway.Transport.Hpack;

/// <summary>Names of the static table (RFC 7541, appendix A); a name used with several values is listed as often.</summary>
internal static class StaticTable
{
    /// <summary>Index of <c>:authority</c>.</summary>
    public const int Authority = 1;

    /// <summary>Number of entries; the dynamic table's indices begin after it.</summary>
    public const int Count = 61;

    private static readonly byte[][] _names =
    [
        .. """
            :authority :method :method :path :path :scheme :scheme
            :status :status :status :status :status :status :status
            accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin age allow
            authorization cache-control content-disposition content-encoding content-language content-length
            content-location content-range content-type cookie date etag expect expires from host if-match
            if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards
            proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie
            strict-transport-security transfer-encoding user-agent vary via www-authenticate
            """
            .Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
            .Select(Encoding.ASCII.GetBytes),
    ];

    /// <summary>Name of the entry <paramref name="index"/>, 1 to <see cref="Count"/>.</summary>
    public static byte[] NameOf(int index) => _names[index - 1];
}
