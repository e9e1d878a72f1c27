using Carina.CsiGateway.Transport.Hpack;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Carina.CsiGateway.Transport.Authority;

/// <summary>Adds <see cref="SocketPathAuthority"/> to a listener.</summary>
public static class SocketPathAuthorityExtensions
{
    /// <summary>Largest header block in octets, padding and frame headers included; Kestrel's own limit on the fields is 32 KiB.</summary>
    internal const int HeaderBlockSize = 64 * 1024;

    /// <summary>
    /// Lets HTTP/2 clients that send a socket's path as <c>:authority</c> be served, as for <c>localhost</c>; what other
    /// clients send is not changed. For listeners on unix sockets, where the authority means nothing. Set
    /// <c>Limits.Http2.HeaderTableSize</c> to 0 to spare the work of keeping a table of header fields per connection.
    /// </summary>
    public static ListenOptions UseSocketPathAuthority(this ListenOptions listen)
    {
        ArgumentNullException.ThrowIfNull(listen);
        var services = listen.ApplicationServices;
        var time = services.GetService<TimeProvider>() ?? TimeProvider.System;
        var logger = services.GetRequiredService<ILogger<SocketPathAuthority>>();
        var limits = listen.KestrelServerOptions.Limits;
        listen.Use(next =>
        {
            // Runs when the server binds, after all options are set. A client may use the initial table until it has
            // seen our SETTINGS.
            var authority = new SocketPathAuthority(
                new RequestFrameLimits(
                    limits.Http2.MaxFrameSize,
                    HeaderBlockSize,
                    Math.Max(limits.Http2.HeaderTableSize, DynamicTable.InitialCapacity)),
                // Kestrel keeps "never" as the longest time there is, which is too long for a timer.
                limits.RequestHeadersTimeout < TimeSpan.FromDays(1) ? limits.RequestHeadersTimeout : Timeout.InfiniteTimeSpan,
                time,
                logger);
            return connection => authority.OnConnectionAsync(connection, next);
        });
        return listen;
    }
}
