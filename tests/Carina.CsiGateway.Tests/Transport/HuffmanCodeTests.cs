using System.Buffers;
using System.Text;
using Carina.CsiGateway.Transport.Hpack;
using CsCheck;

namespace Carina.CsiGateway.Tests.Transport;

/// <summary>The vectors are those of RFC 7541, appendix C.4 and C.6.</summary>
public sealed class HuffmanCodeTests
{
    private static byte[]? Decode(byte[] coded)
    {
        var output = new ArrayBufferWriter<byte>();
        return HuffmanCode.TryDecode(coded, output) ? output.WrittenSpan.ToArray() : null;
    }

    [Theory]
    [InlineData("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com")]
    [InlineData("a8eb10649cbf", "no-cache")]
    [InlineData("25a849e95ba97d7f", "custom-key")]
    [InlineData("25a849e95bb8e8b4bf", "custom-value")]
    [InlineData("6402", "302")]
    [InlineData("aec3771a4b", "private")]
    [InlineData("d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT")]
    [InlineData("9d29ad171863c78f0b97c8e9ae82ae43d3", "https://www.example.com")]
    [InlineData("", "")]
    public void Decodes(string coded, string text)
    {
        Assert.Equal(text, Encoding.ASCII.GetString(Decode(Convert.FromHexString(coded))!));
        Assert.Equal(coded, Convert.ToHexStringLower(ReferenceEncoder.Huffman(Encoding.ASCII.GetBytes(text))));
    }

    [Theory]
    [InlineData("ff")] // eight bits of padding
    [InlineData("00")] // '0', then padding of zeros
    [InlineData("ffffffff")] // end of string
    [InlineData("1fffffffff")] // '1', then end of string
    public void Refuses_what_the_code_does_not_allow(string coded) => Assert.Null(Decode(Convert.FromHexString(coded)));

    [Fact]
    public void Decodes_all_that_can_be_encoded() =>
        Gen.Byte.Array[0, 200].Sample(octets => Decode(ReferenceEncoder.Huffman(octets))!.SequenceEqual(octets));

    [Fact]
    public void Any_octets_are_decoded_or_refused() => Gen.Byte.Array[0, 60].Sample(octets =>
    {
        // What is accepted has this coding only: RFC 7541, section 5.2.
        var decoded = Decode(octets);
        return decoded is null || ReferenceEncoder.Huffman(decoded).SequenceEqual(octets);
    });
}
