namespace Carina.CsiGateway.Tests.Transport;

/// <summary>A real Kestrel behind a real socket, and clients that do what kubelets do.</summary>
public sealed class SocketPathAuthorityTests
{
    private const string Plain = "/var/lib/kubelet/plugins_registry/carina.storage.io-reg.sock";
    private const string Encoded = "%2Fvar%2Flib%2Fkubelet%2Fplugins_registry%2Fcarina.storage.io-reg.sock";
    private const string Host = "/test.Echo/Host";

    /// <summary>The ways to send the same request.</summary>
    public static TheoryData<string, bool, bool, bool, bool, bool> Requests()
    {
        var data = new TheoryData<string, bool, bool, bool, bool, bool>();
        foreach (var authority in new[] { Plain, Encoded })
        {
            for (var bits = 0; bits < 32; bits++)
                data.Add(authority, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0, (bits & 16) != 0);
        }

        return data;
    }

    private static async Task<Answer> CallAsync(
        EchoServer server, string authority, bool huffman, bool literalName, bool continued, bool padded, bool indexed)
    {
        await using var client = await KubeletClient.ConnectAsync(server.Path);
        var style = new Style(
            indexed ? Indexing.With : Indexing.Without,
            UseStaticName: !literalName, HuffmanName: huffman, HuffmanValue: huffman);
        var block = client.Encoder.Encode(style, KubeletClient.Request(Host, authority));
        int[] cuts = continued ? [1, 20, 40, 40] : [];
        await client.SendAsync(
            [.. Frame.HeaderBlock(1, block, padding: padded ? 7 : null, priority: padded, cuts: cuts), KubeletClient.Message(1)]);
        return await client.AnswerAsync(1);
    }

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task A_request_for_a_path_is_served_as_for_localhost(
        string authority, bool huffman, bool literalName, bool continued, bool padded, bool indexed)
    {
        await using var server = await EchoServer.StartAsync();
        var answer = await CallAsync(server, authority, huffman, literalName, continued, padded, indexed);
        Assert.Equal("0", answer.GrpcStatus);
        Assert.Equal("localhost", KubeletClient.Text(answer.Message));
    }

    [Theory]
    [InlineData(Plain, false)]
    [InlineData(Encoded, false)]
    [InlineData(Plain, true)]
    [InlineData(Encoded, true)]
    public async Task Kestrel_alone_refuses_it(string authority, bool huffman)
    {
        await using var server = await EchoServer.StartPlainAsync();
        var answer = await CallAsync(server, authority, huffman, literalName: false, continued: false, padded: false, indexed: false);
        Assert.Equal(Answer.ProtocolError, answer.ResetCode);
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("csi.example.com:8080")]
    [InlineData("ABCDEFGHIJKLMNOPQRSTUVWXYZ.abcdefghijklmnopqrstuvwxyz-0123456789_:99999")]
    [InlineData("._-:00000")]
    [InlineData("")]
    public async Task A_host_is_left_as_it_is(string authority)
    {
        await using var server = await EchoServer.StartAsync();
        await using var client = await KubeletClient.ConnectAsync(server.Path);
        var answer = await client.CallAsync(1, Host, authority);
        Assert.Equal("0", answer.GrpcStatus);
        Assert.Equal(authority, KubeletClient.Text(answer.Message));
    }
}
