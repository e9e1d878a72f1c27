using System.Buffers;
using Carina.CsiGateway.Transport.Authority;

namespace Carina.CsiGateway.Tests.Transport;

/// <summary>Frames in, frames out.</summary>
public sealed class RequestFrameFilterTests
{
    private static readonly RequestFrameLimits _limits = new(16_384, 64 * 1024, 4096);

    private static readonly byte[] _pathBlock = new ReferenceEncoder().Encode(new Style(), KubeletClient.Request("/a/b", "/csi.sock"));
    private static readonly byte[] _hostBlock = new ReferenceEncoder().Encode(new Style(), KubeletClient.Request("/a/b", "localhost"));

    /// <summary>What comes out for the frames after the preface, fed in parts of <paramref name="part"/> octets.</summary>
    private static byte[] Pass(IEnumerable<Frame> frames, int part = int.MaxValue, bool end = false) =>
        Pass([.. frames.SelectMany(frame => frame.ToBytes())], part, end);

    private static byte[] Pass(byte[] frames, int part = int.MaxValue, bool end = false)
    {
        var filter = new RequestFrameFilter(_limits);
        var output = new ArrayBufferWriter<byte>();
        foreach (var chunk in Frame.Preface.Concat(frames).Chunk(part))
            filter.Pass(chunk, output);
        if (end)
            filter.End(output);
        Assert.Equal(Frame.Preface, output.WrittenSpan[..Frame.Preface.Length].ToArray());
        return output.WrittenSpan[Frame.Preface.Length..].ToArray();
    }

    private static byte[] Bytes(IEnumerable<Frame> frames) => [.. frames.SelectMany(frame => frame.ToBytes())];

    [Fact]
    public void Frames_without_a_path_pass_octet_for_octet_wherever_they_are_cut()
    {
        Frame[] frames =
        [
            new(Frame.Settings, 0, 0, [0, 4, 0, 0, 255, 255]),
            .. Frame.HeaderBlock(1, _hostBlock, padding: 9, priority: true, cuts: [3, 3, 50]),
            new(Frame.Data, 0, 1, [1, 2, 3]),
            new(Frame.Data, Frame.EndStream, 1, []),
            new(0x77, 0xff, 5, [9, 9]),
        ];
        var bytes = Bytes(frames);
        for (var part = 1; part < bytes.Length; part++)
            Assert.Equal(bytes, Pass(frames, part));
    }

    [Fact]
    public void A_path_is_replaced_wherever_the_frames_are_cut()
    {
        Frame[] frames =
        [
            new(Frame.Settings, 0, 0, []),
            .. Frame.HeaderBlock(3, _pathBlock, endStream: true, padding: 9, priority: true, cuts: [3, 3, 50]),
            new(Frame.Ping, 0, 0, new byte[8]),
        ];
        for (var part = 1; part < Bytes(frames).Length; part++)
        {
            var passed = Frame.Parse(Pass(frames, part));
            Assert.Equal([Frame.Settings, Frame.Headers, Frame.Ping], passed.Select(frame => frame.Type));
            Assert.Equal(Frame.EndStream | Frame.EndHeaders | Frame.Priority, passed[1].Flags);
            Assert.Equal(3, passed[1].Stream);
            Assert.Equal([0, 0, 0, 0, 15], passed[1].Payload[..5]);
            Assert.Equal(
                KubeletClient.Request("/a/b", "localhost"),
                new ReferenceDecoder(0).Decode(passed[1].Payload[5..]).Select(field => field.Field));
        }
    }

    [Fact]
    public void Parts_of_other_frames_do_not_wait_for_the_rest()
    {
        var filter = new RequestFrameFilter(_limits);
        var output = new ArrayBufferWriter<byte>();
        filter.Pass(Frame.Preface, output);
        var data = new Frame(Frame.Data, 0, 1, new byte[10_000]).ToBytes();
        filter.Pass(data.AsSpan(0, 5_000), output);
        Assert.Equal(Frame.Preface.Length + 5_000, output.WrittenCount);
        Assert.False(filter.HoldsHeaders);
    }

    [Fact]
    public void A_block_that_outgrows_a_frame_is_continued()
    {
        var fields = KubeletClient.Request("/a/b", "/csi.sock").Append(new Field("big", new string('x', 40_000))).ToArray();
        var block = new ReferenceEncoder().Encode(new Style(), fields);
        var frames = Frame.HeaderBlock(1, block, priority: true, cuts: [16_000, 32_000]);
        var passed = Frame.Parse(Pass(frames));
        Assert.All(passed, frame => Assert.InRange(frame.Payload.Length, 1, 16_384));
        Assert.Equal([Frame.Headers, Frame.Continuation, Frame.Continuation], passed.Select(frame => frame.Type));
        Assert.Equal([Frame.Priority, 0, Frame.EndHeaders], passed.Select(frame => frame.Flags));
        var joined = passed.SelectMany((frame, i) => frame.Payload[(i == 0 ? 5 : 0)..]).ToArray();
        Assert.Equal(new Field("big", new string('x', 40_000)), new ReferenceDecoder(0).Decode(joined)[^1].Field);
    }

    /// <summary>Each is an error that ends the connection; what follows it must arrive as it was sent too.</summary>
    public static TheoryData<string> Broken() =>
    [
        "other frame within a block", "other stream within a block", "continuation of nothing", "padding beyond the frame",
        "padding without length", "priority beyond the frame", "frame too large", "not HPACK",
    ];

    private static Frame[] BrokenFrames(string kind)
    {
        var open = new Frame(Frame.Headers, 0, 1, _pathBlock[..20]);
        return kind switch
        {
            "other frame within a block" => [open, new(Frame.Data, 0, 1, [1])],
            "other stream within a block" => [open, new(Frame.Continuation, Frame.EndHeaders, 3, _pathBlock[20..])],
            "continuation of nothing" => [new(Frame.Continuation, Frame.EndHeaders, 1, _pathBlock)],
            "padding beyond the frame" => [new(Frame.Headers, Frame.EndHeaders | Frame.Padded, 1, [200, .. _pathBlock])],
            "padding without length" => [new(Frame.Headers, Frame.EndHeaders | Frame.Padded, 1, [])],
            "priority beyond the frame" => [new(Frame.Headers, Frame.EndHeaders | Frame.Priority, 1, [0, 0, 0, 0])],
            "frame too large" => [new(Frame.Headers, Frame.EndHeaders, 1, [.. _pathBlock, .. new byte[16_384]])],
            _ => [new(Frame.Headers, Frame.EndHeaders, 1, [0xff, 0xff, 0xff])],
        };
    }

    [Theory]
    [MemberData(nameof(Broken))]
    public void What_cannot_be_parsed_passes_for_the_server_to_refuse(string kind)
    {
        var broken = BrokenFrames(kind);
        foreach (var part in new[] { 1, 7, int.MaxValue })
        {
            Assert.Equal(Bytes(broken), Pass(broken, part));

            // Only a stray frame outside a block leaves the rest readable.
            var after = broken.Concat(Frame.HeaderBlock(5, _pathBlock)).ToArray();
            if (kind != "continuation of nothing")
                Assert.Equal(Bytes(after), Pass(after, part));
        }
    }

    [Theory]
    [MemberData(nameof(Broken))]
    public async Task And_Kestrel_refuses_it(string kind)
    {
        await using var server = await EchoServer.StartAsync();
        await using (var client = await KubeletClient.ConnectAsync(server.Path))
        {
            await client.SendAsync(BrokenFrames(kind));
            var answer = await client.AnswerAsync(1);
            Assert.Contains(answer.GoAwayCode, new int?[] { Answer.ProtocolError, Answer.FrameSizeError, Answer.CompressionError });
        }

        await using var next = await KubeletClient.ConnectAsync(server.Path);
        Assert.Equal("0", (await next.CallAsync(1, "/test.Echo/Echo", "/csi.sock")).GrpcStatus);
    }

    [Fact]
    public void Another_protocol_passes()
    {
        var filter = new RequestFrameFilter(_limits);
        var output = new ArrayBufferWriter<byte>();
        var request = "PRI * HTTP/1.1\r\nHost: /csi.sock\r\n\r\n"u8.ToArray();
        foreach (var octet in request)
            filter.Pass([octet], output);
        Assert.Equal(request, output.WrittenSpan.ToArray());
    }

    [Fact]
    public void What_is_held_at_the_end_passes()
    {
        var bytes = Bytes(Frame.HeaderBlock(1, _pathBlock, cuts: [10]));
        for (var length = 0; length < bytes.Length; length++)
            Assert.Equal(bytes[..length], Pass(bytes[..length], end: true));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(16_384)]
    public void A_block_without_end_is_refused_before_it_costs_memory(int size)
    {
        var filter = new RequestFrameFilter(_limits);
        var output = new ArrayBufferWriter<byte>();
        filter.Pass([.. Frame.Preface, .. new Frame(Frame.Headers, 0, 1, new byte[size]).ToBytes()], output);
        var continuation = new Frame(Frame.Continuation, 0, 1, new byte[size]).ToBytes();
        var refused = Assert.Throws<RequestFrameException>(() =>
        {
            for (var sent = 0; sent <= 64 * 1024; sent += continuation.Length)
                filter.Pass(continuation, output);
        });
        Assert.Contains("stream 1 is larger than 65536 octets", refused.Message, StringComparison.Ordinal);
        Assert.Equal(Frame.Preface.Length, output.WrittenCount);
    }
}
