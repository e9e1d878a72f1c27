using System.Buffers;
using Carina.CsiGateway.Transport.Authority;
using CsCheck;

namespace Carina.CsiGateway.Tests.Transport;

/// <summary>Whatever a client may send arrives with the same meaning, but for the authority.</summary>
public sealed class HeaderBlockProperties
{
    private static readonly Field[] _fields =
    [
        new(":method", "POST"), new(":path", "/csi.v1.Node/NodeStageVolume"), new(":scheme", "http"),
        new(":authority", "/var/lib/kubelet/csi.sock"), new(":authority", "%2Fvar%2Flib%2Fkubelet%2Fcsi.sock"),
        new(":authority", "localhost"), new(":authority", ""), new(":authority", "csi:10000"),
        new("te", "trailers"), new("content-type", "application/grpc"), new("user-agent", "grpc-go/1.27.1"),
        new("grpc-timeout", "119999885u"), new("host", "/not/an/authority"), new("x", "/"), new("", ""),
        new("long", new string('l', 300)), new("longer", new string('m', 3000)), new("binary", "\u0000\u007f\u00ff"),
    ];

    private sealed record Block(
        (Field, Style)[] Fields, int? Resize, bool EndStream, int? Padding, bool Priority, int[] Cuts, byte[]? DataAfter);

    private static readonly Gen<(Field, Style)> _genField =
        Gen.Select(Gen.Int[0, _fields.Length - 1].Select(i => _fields[i]), Gen.Enum<Indexing>(), Gen.Bool.Array[5]).Select((field, indexing, flags) =>
            (field, new Style(indexing, flags[0], flags[1], flags[2], flags[3], flags[4])));

    private static readonly Gen<Block> _genBlock = Gen.Select(
        _genField.Array[0, 12],
        Gen.Frequency((4, Gen.Const((int?)null)), (1, Gen.Int[0, 4096].Select(size => (int?)size))),
        Gen.Bool.Array[2],
        Gen.Frequency((2, Gen.Const((int?)null)), (1, Gen.Int[0, 255].Select(size => (int?)size))),
        Gen.Int[0, 400].Array[0, 5],
        Gen.Frequency((1, Gen.Const((byte[]?)null)), (1, Gen.Byte.Array[0, 100].Select(data => (byte[]?)data))))
        .Select((fields, resize, flags, padding, cuts, data) =>
            new Block(fields, resize, flags[0], padding, flags[1], cuts, data));

    [Fact]
    public void Every_block_arrives_with_its_fields() =>
        Gen.Select(_genBlock.Array[1, 8], Gen.Int[1, 500].Array[1, 20]).Sample(Check, iter: 800);

    private static void Check(Block[] blocks, int[] parts)
    {
        var encoder = new ReferenceEncoder();
        var sent = new List<Frame> { new(Frame.Settings, 0, 0, [0, 4, 0, 1, 0, 0]) };
        for (var i = 0; i < blocks.Length; i++)
        {
            var (stream, block) = (2 * i + 1, blocks[i]);
            var octets = encoder.Encode(block.Fields, block.Resize);
            sent.AddRange(Frame.HeaderBlock(stream, octets, block.EndStream, block.Padding, block.Priority, block.Cuts));
            if (block.DataAfter is { } data)
                sent.Add(new Frame(Frame.Data, 0, stream, data));
        }

        var passed = Frame.Parse(Pass(sent, parts));
        Assert.Equal(Rest(sent), Rest(passed));
        var headers = Headers(passed);
        Assert.Equal(blocks.Length, headers.Count);
        var server = new ReferenceDecoder(0);
        for (var i = 0; i < blocks.Length; i++)
        {
            Assert.Equal(2 * i + 1, headers[i].Stream);
            Assert.Equal(blocks[i].EndStream, headers[i].EndStream);
            Assert.Equal(blocks[i].Priority, headers[i].Priority);
            Assert.Equal(blocks[i].Fields.Select(field => Expected(field.Item1)), server.Decode(headers[i].Block).Select(field => field.Field));
        }
    }

    private static Field Expected(Field field) =>
        field.Name == ":authority" && field.Value.ContainsAny('/', '%') ? field with { Value = "localhost" } : field;

    private static byte[] Pass(List<Frame> frames, int[] parts)
    {
        var filter = new RequestFrameFilter(new RequestFrameLimits(16_384, 64 * 1024, 4096));
        var output = new ArrayBufferWriter<byte>();
        byte[] octets = [.. Frame.Preface, .. frames.SelectMany(frame => frame.ToBytes())];
        for (var (at, i) = (0, 0); at < octets.Length; i++)
        {
            var part = Math.Min(parts[i % parts.Length], octets.Length - at);
            filter.Pass(octets.AsSpan(at, part), output);
            at += part;
        }

        Assert.False(filter.HoldsHeaders);
        return output.WrittenSpan[Frame.Preface.Length..].ToArray();
    }

    private static IEnumerable<string> Rest(IEnumerable<Frame> frames) => frames
        .Where(frame => frame.Type is not (Frame.Headers or Frame.Continuation))
        .Select(frame => Convert.ToHexString(frame.ToBytes()));

    /// <summary>Joins header blocks as RFC 9113, section 6.2, tells a server to.</summary>
    private static List<(int Stream, bool EndStream, bool Priority, byte[] Block)> Headers(List<Frame> frames)
    {
        var blocks = new List<(int, bool, bool, byte[])>();
        var open = false;
        foreach (var frame in frames)
        {
            Assert.InRange(frame.Payload.Length, 0, 16_384);
            Assert.Equal(open, frame.Type == Frame.Continuation);
            var fragment = frame.Payload;
            if (frame.Type == Frame.Headers)
            {
                var padded = (frame.Flags & Frame.Padded) != 0;
                var priority = (frame.Flags & Frame.Priority) != 0;
                fragment = fragment[((padded ? 1 : 0) + (priority ? 5 : 0))..^(padded ? frame.Payload[0] : 0)];
                blocks.Add((frame.Stream, (frame.Flags & Frame.EndStream) != 0, priority, fragment));
            }
            else if (frame.Type == Frame.Continuation)
            {
                var (stream, endStream, priority, block) = blocks[^1];
                Assert.Equal(stream, frame.Stream);
                blocks[^1] = (stream, endStream, priority, [.. block, .. fragment]);
            }
            else
            {
                continue;
            }

            open = (frame.Flags & Frame.EndHeaders) == 0;
        }

        Assert.False(open);
        return blocks;
    }

    [Fact]
    public void Nothing_a_client_sends_makes_it_fail() =>
        Gen.Select(_genBlock.Array[1, 4], Gen.Select(Gen.Int[0, 2000], Gen.Byte).Array[1, 10]).Sample((blocks, faults) =>
        {
            var encoder = new ReferenceEncoder();
            var octets = blocks
                .SelectMany(block => Frame.HeaderBlock(1, encoder.Encode(block.Fields, block.Resize), block.EndStream, block.Padding, block.Priority, block.Cuts))
                .SelectMany(frame => frame.ToBytes())
                .ToArray();
            foreach (var (at, octet) in faults)
                octets[at % octets.Length] = octet;

            var filter = new RequestFrameFilter(new RequestFrameLimits(16_384, 64 * 1024, 4096));
            var output = new ArrayBufferWriter<byte>();
            filter.Pass(Frame.Preface, output);
            try
            {
                filter.Pass(octets, output);
                filter.End(output);
            }
            catch (RequestFrameException)
            {
                // A limit: the connection is closed.
            }
        }, iter: 800);
}
