using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace Carina.CsiGateway.Tests.Transport;

/// <summary>What came back on one stream.</summary>
internal sealed record Answer(Dictionary<string, string> Headers, byte[] Body, int? ResetCode, int? GoAwayCode)
{
    public const int ProtocolError = 1, FrameSizeError = 6, CompressionError = 9;

    /// <summary>The gRPC message.</summary>
    public byte[] Message => Body[5..];

    public string GrpcStatus => Headers.GetValueOrDefault("grpc-status", $"none; reset {ResetCode}, goaway {GoAwayCode}");
}

/// <summary>
/// Speaks HTTP/2 by hand over a unix socket, as the kubelet's gRPC client does: preface, SETTINGS, and an authority that is
/// the path dialled.
/// </summary>
internal sealed class KubeletClient : IAsyncDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly NetworkStream _stream;
    private readonly ReferenceDecoder _decoder = new(0);

    private KubeletClient(string path)
    {
        _socket.Connect(new UnixDomainSocketEndPoint(path));
        _stream = new NetworkStream(_socket);
    }

    public ReferenceEncoder Encoder { get; } = new();

    /// <summary>Connects and sends the preface and SETTINGS that forbid the server a table.</summary>
    public static async Task<KubeletClient> ConnectAsync(string path)
    {
        var client = new KubeletClient(path);
        await client.SendAsync(Frame.Preface);
        await client.SendAsync(new Frame(Frame.Settings, 0, 0, [0, 1, 0, 0, 0, 0]));
        return client;
    }

    /// <summary>The fields that grpc-go sends, in its order.</summary>
    public static Field[] Request(string method, string authority) =>
    [
        new(":method", "POST"),
        new(":scheme", "http"),
        new(":path", method),
        new(":authority", authority),
        new("content-type", "application/grpc"),
        new("user-agent", "grpc-go/1.27.1"),
        new("te", "trailers"),
    ];

    public static Frame Message(int stream, params byte[] message)
    {
        var prefix = new byte[5];
        BinaryPrimitives.WriteInt32BigEndian(prefix.AsSpan(1), message.Length);
        return new Frame(Frame.Data, Frame.EndStream, stream, [.. prefix, .. message]);
    }

    /// <summary>One unary call on <paramref name="stream"/>, with the authority as an old client sends it.</summary>
    public async Task<Answer> CallAsync(int stream, string method, string authority, params byte[] message)
    {
        await SendAsync([.. Frame.HeaderBlock(stream, Encoder.Encode(new Style(), Request(method, authority))), Message(stream, message)]);
        return await AnswerAsync(stream);
    }

    public Task SendAsync(IEnumerable<Frame> frames) => SendAsync([.. frames.SelectMany(frame => frame.ToBytes())]);

    public Task SendAsync(params Frame[] frames) => SendAsync((IEnumerable<Frame>)frames);

    public Task SendAsync(byte[] octets) => _stream.WriteAsync(octets, TestContext.Current.CancellationToken).AsTask();

    /// <summary>Ends the client's half of the connection.</summary>
    public void EndInput() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Reads until the stream ends or is refused, or the connection closes.</summary>
    public async Task<Answer> AnswerAsync(int stream)
    {
        var headers = new Dictionary<string, string>(StringComparer.Ordinal);
        var body = new List<byte>();
        while (await ReadAsync() is { } frame)
        {
            if (frame.Type == Frame.Settings && frame.Flags == 0)
                await AcknowledgeAsync();
            else if (frame.Type == Frame.GoAway && Refuses(frame, stream, out var code))
                return new Answer(headers, [.. body], null, code);
            else if (frame.Type == Frame.Headers)
                Merge(headers, frame, stream);
            else if (frame.Type == Frame.Data && frame.Stream == stream)
                body.AddRange(frame.Payload);
            else if (frame.Type == Frame.Reset && frame.Stream == stream)
                return new Answer(headers, [.. body], BinaryPrimitives.ReadInt32BigEndian(frame.Payload), null);

            if (frame.Type <= Frame.Headers && frame.Stream == stream && (frame.Flags & Frame.EndStream) != 0)
                return new Answer(headers, [.. body], null, null);
        }

        return new Answer(headers, [.. body], null, null);
    }

    /// <summary>The next frame, or null at the connection's end.</summary>
    public async Task<Frame?> ReadAsync()
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(20));
        var header = new byte[9];
        try
        {
            if (await _stream.ReadAtLeastAsync(header, header.Length, throwOnEndOfStream: false, patience.Token) < header.Length)
                return null;
            var frame = Frame.Parse([0, 0, 0, .. header.AsSpan(3)])[0];
            var payload = new byte[BinaryPrimitives.ReadInt32BigEndian(header) >> 8 & 0xff_ffff];
            await _stream.ReadExactlyAsync(payload, patience.Token);
            return frame with { Payload = payload };
        }
        catch (IOException e) when (e.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionReset })
        {
            return null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        _socket.Dispose();
    }

    /// <summary>RFC 9113, section 6.8: a server that leaves in peace still answers the streams up to the last it names.</summary>
    private static bool Refuses(Frame goAway, int stream, out int code)
    {
        var last = BinaryPrimitives.ReadInt32BigEndian(goAway.Payload);
        code = BinaryPrimitives.ReadInt32BigEndian(goAway.Payload.AsSpan(4));
        return code != 0 || last < stream;
    }

    private async Task AcknowledgeAsync()
    {
        try
        {
            await SendAsync(new Frame(Frame.Settings, Frame.Ack, 0, []));
        }
        catch (IOException e) when (e.InnerException is SocketException { SocketErrorCode: SocketError.Shutdown })
        {
            // The server has closed; why it did is yet to be read.
        }
    }

    private void Merge(Dictionary<string, string> headers, Frame frame, int stream)
    {
        foreach (var (field, _) in _decoder.Decode(frame.Payload))
        {
            if (frame.Stream == stream)
                headers[field.Name] = field.Value;
        }
    }

    public static string Text(byte[] octets) => Encoding.UTF8.GetString(octets);
}
