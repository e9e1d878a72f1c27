using System.Net.Sockets;
using Carina.Grains.Errors;
using Microsoft.Extensions.Logging;

using Microsoft.Win32.SafeHandles;

namespace Carina.CsiGateway.Transport.Sockets;

/// <summary>A socket that listens at a file of ours: made with <see cref="BindAsync"/>, gone with <see cref="Remove"/>.</summary>
internal sealed partial class SocketFile
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private static readonly TimeSpan _probeTimeout = TimeSpan.FromSeconds(2);

    private readonly string _path;
    private readonly FileIdentity _identity;
    private readonly ILogger _logger;
    private bool _removed;

    private SocketFile(string path, Socket socket, FileIdentity identity, ILogger logger)
    {
        _path = path;
        Socket = socket;
        _identity = identity;
        _logger = logger;
    }

    /// <summary>The listening socket. Its owner closes it.</summary>
    public Socket Socket { get; }

    /// <summary>
    /// Binds, after removing a socket file that a dead process left, and creates the directory if need be. Only the owner
    /// may connect.
    /// </summary>
    /// <exception cref="StorageException">FailedPrecondition: the path is taken.</exception>
    public static async Task<SocketFile> BindAsync(
        CsiSocketEndPoint endPoint, TimeProvider time, ILogger logger, CancellationToken cancellationToken)
    {
        if (!OperatingSystem.IsLinux())
            throw new PlatformNotSupportedException("Socket files are told apart by Linux's statx.");
        var path = endPoint.Path;
        Directory.CreateDirectory(Path.GetDirectoryName(path)!, OwnerOnly | UnixFileMode.UserExecute);
        await RemoveStaleAsync(path, time, logger, cancellationToken).ConfigureAwait(false);

        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            // Linux gives the file the mode of the unbound socket, so that there is no moment at which others may connect;
            // the umask, which would do the same, belongs to the whole process.
            using (var handle = new SafeFileHandle(socket.Handle, ownsHandle: false))
                File.SetUnixFileMode(handle, OwnerOnly);
            socket.Bind(endPoint);
            // At once: a kubelet that sees the file come and finds nobody there waits a second.
            socket.Listen();
            var identity = FileIdentity.Of(path) ?? throw Taken(path, "it vanished while it was made; is another process starting?");
            return new SocketFile(path, socket, identity, logger);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            socket.Dispose();
            throw Taken(path, "another process made it in this moment", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>True while the path leads to our file.</summary>
    public bool IsInPlace() => !_removed && FileIdentity.Of(_path) == _identity;

    /// <summary>Removes our file, and no other. To be called while the socket still listens: nobody takes the path over then.</summary>
    public void Remove()
    {
        if (_removed)
            return;
        if (IsInPlace())
            File.Delete(_path);
        else
            LogNotOurs(_logger, _path);
        _removed = true;
    }

    private static async Task RemoveStaleAsync(
        string path, TimeProvider time, ILogger logger, CancellationToken cancellationToken)
    {
        if (FileIdentity.Of(path) is not { } found)
            return;
        if (!found.IsSocket)
            throw Taken(path, "a file that is no socket is there; move it away");

        if (await WhyKeepAsync(path, time, cancellationToken).ConfigureAwait(false) is { } reason)
            throw Taken(path, reason);
        if (FileIdentity.Of(path) != found)
            throw Taken(path, "another process replaced it in this moment");
        File.Delete(path);
        LogStaleRemoved(logger, path);
    }

    /// <summary>Null only if it is certain that nobody listens: connect(2) is refused.</summary>
    private static async Task<string?> WhyKeepAsync(string path, TimeProvider time, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(_probeTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await probe.ConnectAsync(new UnixDomainSocketEndPoint(path), either.Token).ConfigureAwait(false);
            return "another process listens on it; stop it first";
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            return null;
        }
        catch (SocketException e)
        {
            return $"cannot tell whether another process listens on it ({e.Message})";
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return "another process listens on it but does not answer; stop it first";
        }
    }

    private static StorageException Taken(string path, string reason, Exception? cause = null)
    {
        var message = $"Cannot listen on {path}: {reason}.";
        return cause is null
            ? new StorageException(StorageErrorCode.FailedPrecondition, message)
            : new StorageException(StorageErrorCode.FailedPrecondition, message, cause);
    }
}
