using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging;

namespace Carina.CsiGateway.Transport.Authority;

/// <summary>
/// Connection middleware between a socket and Kestrel's HTTP/2. A Go client that dials a bare path sends that path as
/// <c>:authority</c>, plain or percent-encoded; every kubelet does so towards the plugin registration socket, and those
/// before 1.26 towards the driver's socket as well. Kestrel answers PROTOCOL_ERROR to what is no host and has no
/// option for it. What the client sends goes through <see cref="RequestFrameFilter"/>; answers are not touched.
/// </summary>
internal sealed partial class SocketPathAuthority(
    RequestFrameLimits limits, TimeSpan headersTimeout, TimeProvider time, ILogger<SocketPathAuthority> logger)
{
    // The pipe to Kestrel pauses the client above this, as Kestrel's own pipes do.
    private const int PauseAt = 64 * 1024;
    private const int FlushAt = 16 * 1024;

    /// <summary>Serves one connection.</summary>
    public async Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var transport = connection.Transport;
        var pipe = new Pipe(new PipeOptions(
            connection.Features.Get<IMemoryPoolFeature>()?.MemoryPool,
            pauseWriterThreshold: PauseAt,
            resumeWriterThreshold: PauseAt / 2,
            useSynchronizationContext: false));
        var pump = PumpAsync(connection.ConnectionId, transport.Input, pipe.Writer);
        connection.Transport = new DuplexPipe(pipe.Reader, transport.Output);
        try
        {
            await next(connection).ConfigureAwait(false);
        }
        finally
        {
            // Ends the pump wherever it waits: for room in the pipe, or for the client.
            connection.Transport = transport;
            await pipe.Reader.CompleteAsync().ConfigureAwait(false);
            transport.Input.CancelPendingRead();
            await pump.ConfigureAwait(false);
        }
    }

    private async Task PumpAsync(string connectionId, PipeReader client, PipeWriter server)
    {
        // The server learns why its input ends, as it would without this middleware.
        Exception? failure = null;
        try
        {
            await CopyAsync(connectionId, client, server).ConfigureAwait(false);
        }
        catch (RequestFrameException e)
        {
            LogRefused(connectionId, e.Message);
            failure = new ConnectionAbortedException(e.Message, e);
        }
        catch (Exception e)
        {
            failure = e;
        }

        await server.CompleteAsync(failure).ConfigureAwait(false);
    }

    private async Task CopyAsync(string connectionId, PipeReader client, PipeWriter server)
    {
        var filter = new RequestFrameFilter(limits);
        using var deadline = new HeadersDeadline(headersTimeout, time);
        while (true)
        {
            var read = await deadline.ReadAsync(client, filter.HoldsHeaders).ConfigureAwait(false);
            if (read.IsCanceled)
                return;

            var rewritten = filter.BlocksRewritten;
            foreach (var segment in read.Buffer)
            {
                filter.Pass(segment.Span, server);
                if (server.UnflushedBytes >= FlushAt && (await server.FlushAsync().ConfigureAwait(false)).IsCompleted)
                    return;
            }

            client.AdvanceTo(read.Buffer.End);
            if (rewritten == 0 && filter.BlocksRewritten > 0)
                LogRewriting(connectionId);
            if (read.IsCompleted)
                filter.End(server);
            if ((await server.FlushAsync().ConfigureAwait(false)).IsCompleted || read.IsCompleted)
                return;
        }
    }

    /// <summary>
    /// The server times a header block from its first frame on. It sees none before the block is whole, so the clock has
    /// to run here.
    /// </summary>
    private sealed class HeadersDeadline(TimeSpan timeout, TimeProvider time) : IDisposable
    {
        private CancellationTokenSource? _source;

        public async ValueTask<ReadResult> ReadAsync(PipeReader client, bool holdsHeaders)
        {
            if (!holdsHeaders)
            {
                Dispose();
                return await client.ReadAsync().ConfigureAwait(false);
            }

            _source ??= new CancellationTokenSource(timeout, time);
            try
            {
                return await client.ReadAsync(_source.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (_source.IsCancellationRequested)
            {
                throw new RequestFrameException($"a header block was not finished within {timeout.TotalSeconds:0} s");
            }
        }

        public void Dispose()
        {
            _source?.Dispose();
            _source = null;
        }
    }

    private sealed record DuplexPipe(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
