using System.Net;
using System.Net.Sockets;
using System.Text;
using Carina.Grains.Errors;

namespace Carina.CsiGateway.Transport.Sockets;

/// <summary>
/// A socket file to listen on. Unlike a socket bound to the framework's own unix endpoint, one bound to this does not
/// remove whatever is at its path when it closes: <see cref="SocketFile"/> does, if it is still the same file.
/// </summary>
internal sealed class CsiSocketEndPoint : EndPoint
{
    /// <summary>sockaddr_un has room for 108 octets, the closing zero included: unix(7).</summary>
    public const int LongestPath = 107;

    private readonly UnixDomainSocketEndPoint _address;

    /// <exception cref="StorageException">InvalidArgument: not an absolute path, or too long.</exception>
    public CsiSocketEndPoint(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        var length = Encoding.UTF8.GetByteCount(path);
        if (!path.StartsWith('/') || path.EndsWith('/') || path.Contains('\0', StringComparison.Ordinal))
            throw new StorageException(StorageErrorCode.InvalidArgument,
                $"Cannot listen on \"{path}\": give the absolute path of a socket file.");
        if (length > LongestPath)
            throw new StorageException(StorageErrorCode.InvalidArgument,
                $"Cannot listen on {path}: it has {length} octets and Linux allows {LongestPath} for a socket; "
                + "choose a shorter directory.");
        Path = path;
        _address = new UnixDomainSocketEndPoint(path);
    }

    public string Path { get; }

    public override AddressFamily AddressFamily => AddressFamily.Unix;

    public override SocketAddress Serialize() => _address.Serialize();

    public override EndPoint Create(SocketAddress socketAddress) => _address.Create(socketAddress);

    public override string ToString() => "unix:" + Path;
}
