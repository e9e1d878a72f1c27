using System.Buffers;
using System.Text;
using Carina.CsiGateway.Transport.Authority;
using Carina.CsiGateway.Transport.Hpack;

namespace Carina.CsiGateway.Tests.Transport;

public sealed class HeaderBlockRewriterTests
{
    private readonly HeaderBlockRewriter _rewriter = new(4096, 64 * 1024);

    private (HeaderBlockOutcome Outcome, byte[] Block) Rewrite(byte[] block)
    {
        var output = new ArrayBufferWriter<byte>();
        return (_rewriter.Rewrite(block, output), output.WrittenSpan.ToArray());
    }

    private HeaderBlockOutcome Outcome(string hex) => Rewrite(Convert.FromHexString(hex)).Outcome;

    private static List<(Field Field, bool Never)> Read(byte[] block) => new ReferenceDecoder(0).Decode(block);

    [Fact]
    public void The_tables_agree_with_the_reference() => Assert.Equal(
        ReferenceTable.Static.Select(field => field.Name),
        Enumerable.Range(1, StaticTable.Count).Select(index => Encoding.ASCII.GetString(StaticTable.NameOf(index))));

    // RFC 7541, appendix C.3 and C.4: three requests on one connection, the later ones by reference.
    [Theory]
    [InlineData(
        "828684410f7777772e6578616d706c652e636f6d", "828684be58086e6f2d6361636865",
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565")]
    [InlineData(
        "828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf")]
    public void References_are_resolved_for_a_server_without_table(string first, string second, string third)
    {
        var blocks = new[] { first, second, third }.Select(Convert.FromHexString).ToList();
        Assert.Equal(HeaderBlockOutcome.Unchanged, Rewrite(blocks[0]).Outcome);

        var (outcome, block) = Rewrite(blocks[1]);
        Assert.Equal(HeaderBlockOutcome.Rewritten, outcome);
        Assert.Equal(
            [
                new(":method", "GET"), new(":scheme", "http"), new(":path", "/"), new(":authority", "www.example.com"),
                new("cache-control", "no-cache"),
            ],
            Read(block).Select(field => field.Field));

        (outcome, block) = Rewrite(blocks[2]);
        Assert.Equal(HeaderBlockOutcome.Rewritten, outcome);
        Assert.Equal(
            [
                new(":method", "GET"), new(":scheme", "https"), new(":path", "/index.html"),
                new(":authority", "www.example.com"), new("custom-key", "custom-value"),
            ],
            Read(block).Select(field => field.Field));
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("localhost:80")]
    [InlineData("a-b_c.Example.com:65535")]
    [InlineData("127.0.0.1")]
    [InlineData("")]
    public void A_host_passes_octet_for_octet(string authority)
    {
        var block = new ReferenceEncoder().Encode(new Style(HuffmanValue: true), KubeletClient.Request("/a/b", authority));
        Assert.Equal(HeaderBlockOutcome.Unchanged, Rewrite(block).Outcome);
    }

    [Theory]
    [InlineData("/csi/csi.sock")]
    [InlineData("%2Fcsi%2Fcsi.sock")]
    [InlineData("unix:///csi/csi.sock")]
    [InlineData("@abstract")]
    [InlineData("a b")]
    [InlineData("host:")]
    [InlineData("host:http")]
    [InlineData(":80")]
    [InlineData("a:b:1")]
    [InlineData("[::1]:80")]
    [InlineData("h\u00f6st")]
    public void What_is_no_host_becomes_localhost(string authority)
    {
        var request = KubeletClient.Request("/a/b", authority);
        var (outcome, block) = Rewrite(new ReferenceEncoder().Encode(new Style(HuffmanValue: true), request));
        Assert.Equal(HeaderBlockOutcome.Rewritten, outcome);
        Assert.Equal(KubeletClient.Request("/a/b", "localhost"), Read(block).Select(field => field.Field));
    }

    [Fact]
    public void A_field_that_must_never_be_indexed_stays_so()
    {
        var encoder = new ReferenceEncoder();
        var with = new Style(Indexing.With);
        Rewrite(encoder.Encode(with, new Field("token", "public")));
        var never = new Style(Indexing.Never);
        var (_, block) = Rewrite(encoder.Encode(never, new Field("token", "secret"), new Field(":authority", "/secret")));
        Assert.Equal([(new("token", "secret"), true), (new(":authority", "localhost"), true)], Read(block));
    }

    [Fact]
    public void The_entry_that_lends_its_name_may_fall_out_of_the_table_for_it()
    {
        var encoder = new ReferenceEncoder();
        var with = new Style(Indexing.With);
        Rewrite(encoder.Encode([(new Field("long", new string('a', 20)), with)], resize: 64));
        var field = new Field("long", new string('b', 24));
        var (_, block) = Rewrite(encoder.Encode([(field, with), (field, with)]));
        Assert.Equal([(field, false), (field, false)], Read(block));
    }

    [Theory]
    [InlineData(68, true)]
    [InlineData(67, false)]
    public void An_entry_counts_32_octets_and_its_text(int table, bool holdsTwo)
    {
        var with = new Style(Indexing.With);
        Rewrite(new ReferenceEncoder().Encode([(new Field("a", "1"), with), (new Field("b", "2"), with)], resize: table));
        Assert.Equal(holdsTwo ? HeaderBlockOutcome.Rewritten : HeaderBlockOutcome.Malformed, Rewrite([0xbf]).Outcome);
    }

    [Theory]
    [InlineData("80", "index 0")]
    [InlineData("be", "no such entry")]
    [InlineData("7e00", "no such name")]
    [InlineData("ff", "integer without end")]
    [InlineData("ffffffffff7f", "integer too large")]
    [InlineData("41", "no value")]
    [InlineData("4105616263", "value too short")]
    [InlineData("0005616263", "name too short")]
    [InlineData("418164", "bad Huffman code in the authority")]
    [InlineData("008164", "bad Huffman code in a name")]
    [InlineData("3fe21f", "table of 4,097 octets")]
    [InlineData("8220", "resize after a field")]
    public void What_is_not_HPACK_is_called_so(string block, string why) =>
        Assert.True(Outcome(block) == HeaderBlockOutcome.Malformed, why);

    [Fact]
    public void A_small_block_that_refers_to_a_large_entry_over_and_over_is_too_large()
    {
        var encoder = new ReferenceEncoder();
        Rewrite(encoder.Encode(new Style(Indexing.With), new Field("bomb", new string('x', 4000))));
        Assert.Equal(HeaderBlockOutcome.TooLarge, Rewrite(Enumerable.Repeat((byte)0xbe, 16).Append((byte)0xbe).ToArray()).Outcome);
    }
}
