namespace Carina.Silo.Hosting;

/// <summary>
/// Ties endpoints to the listener they are meant for. The process listens on a CSI socket and on ports that others can
/// reach; what is served on one must not answer on the other.
/// </summary>
internal static class ListenerScope
{
    // What Kestrel gives as the local port of a connection that has none: a Unix socket's.
    private const int SocketPort = 0;

    /// <summary>Serves the endpoint on this port only.</summary>
    public static TBuilder OnlyOnPort<TBuilder>(this TBuilder endpoint, int port)
        where TBuilder : IEndpointConventionBuilder => endpoint.WithMetadata(new ServedOn(port));

    /// <summary>Answers 404 where an endpoint is asked for on the wrong listener; endpoints without a port are the socket's.</summary>
    public static void UseListenerScope(this IApplicationBuilder app) => app.Use((context, next) =>
    {
        var endpoint = context.GetEndpoint();
        if (endpoint is null || context.Connection.LocalPort == (endpoint.Metadata.GetMetadata<ServedOn>()?.Port ?? SocketPort))
        {
            return next(context);
        }

        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    });

    private sealed record ServedOn(int Port);
}
