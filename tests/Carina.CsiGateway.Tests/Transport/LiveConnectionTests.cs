using System.Text;
using Carina.CsiGateway.Transport.Authority;
using Grpc.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Carina.CsiGateway.Tests.Transport;

/// <summary>Connections that live long, carry much, or end badly.</summary>
public sealed class LiveConnectionTests
{
    private const string Path = "/csi/csi.sock";

    private static CallOptions Patience => new(deadline: DateTime.UtcNow.AddSeconds(30));

    [Fact]
    public async Task A_client_may_refer_to_the_table_before_it_knows_that_there_is_none()
    {
        await using var server = await EchoServer.StartAsync();
        await using var client = await KubeletClient.ConnectAsync(server.Path);
        var request = KubeletClient.Request("/test.Echo/Host", Path);
        var first = client.Encoder.Encode(new Style(Indexing.With), request);
        var second = client.Encoder.Encode(new Style(Indexing.With), request);
        Assert.Equal(request.Length, second.Length);
        await client.SendAsync(
            [.. Frame.HeaderBlock(1, first), KubeletClient.Message(1), .. Frame.HeaderBlock(3, second), KubeletClient.Message(3)]);
        Assert.Equal("localhost", KubeletClient.Text((await client.AnswerAsync(1)).Message));

        // And as it must after our SETTINGS: the table shrinks to nothing first.
        var third = client.Encoder.Encode(request.Select(field => (field, new Style(Indexing.With))), resize: 0);
        await client.SendAsync([.. Frame.HeaderBlock(5, third), KubeletClient.Message(5)]);
        Assert.Equal("localhost", KubeletClient.Text((await client.AnswerAsync(5)).Message));
    }

    [Fact]
    public async Task Kestrel_reads_the_Huffman_code_as_we_do()
    {
        var probe = string.Concat(Enumerable.Range(33, 94).Select(i => (char)i));
        await using var server = await EchoServer.StartAsync();
        await using var client = await KubeletClient.ConnectAsync(server.Path);
        var block = client.Encoder.Encode(
            new Style(HuffmanName: true, HuffmanValue: true),
            [.. KubeletClient.Request("/test.Echo/Probe", Path), new Field("probe", probe)]);
        await client.SendAsync([.. Frame.HeaderBlock(1, block), KubeletClient.Message(1)]);
        Assert.Equal(probe, KubeletClient.Text((await client.AnswerAsync(1)).Message));
    }

    [Fact]
    public async Task A_block_of_several_frames_is_served()
    {
        await using var server = await EchoServer.StartAsync();
        await using var client = await KubeletClient.ConnectAsync(server.Path);
        var fields = Enumerable.Range(0, 3).Select(i => new Field($"fill-{i}", new string('x', 8_000)));
        var block = client.Encoder.Encode(
            new Style(), [.. KubeletClient.Request("/test.Echo/Probe", Path), .. fields, new Field("probe", "last")]);
        await client.SendAsync([.. Frame.HeaderBlock(1, block, cuts: [16_000]), KubeletClient.Message(1)]);
        Assert.Equal("last", KubeletClient.Text((await client.AnswerAsync(1)).Message));
    }

    [Fact]
    public async Task Many_calls_on_one_connection()
    {
        await using var server = await EchoServer.StartAsync();
        await using var client = await KubeletClient.ConnectAsync(server.Path);
        for (var call = 0; call < 300; call++)
        {
            var answer = await client.CallAsync(2 * call + 1, "/test.Echo/Echo", Path, (byte)call);
            Assert.Equal([(byte)call], answer.Message);
        }
    }

    [Fact]
    public async Task Ordinary_clients_are_served_many_at_a_time()
    {
        await using var server = await EchoServer.StartAsync();
        using var channel = server.Channel();
        var calls = channel.CreateCallInvoker();
        Assert.Equal("localhost", Encoding.UTF8.GetString(
            await calls.AsyncUnaryCall(EchoServiceBase.HostMethod, null, Patience, [])));
        await Task.WhenAll(Enumerable.Range(0, 200).Select(async i =>
        {
            var message = Encoding.UTF8.GetBytes($"message {i}");
            Assert.Equal(message, await calls.AsyncUnaryCall(EchoServiceBase.EchoMethod, null, Patience, message));
        }));
    }

    [Fact]
    public async Task Messages_of_4_MiB_pass_both_ways()
    {
        await using var server = await EchoServer.StartAsync();
        using var channel = server.Channel();
        var calls = channel.CreateCallInvoker();
        var message = new byte[4 << 20];
        new Random(1).NextBytes(message);
        var answers = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ =>
            calls.AsyncUnaryCall(EchoServiceBase.EchoMethod, null, Patience, message).ResponseAsync));
        Assert.All(answers, answer => Assert.True(answer.AsSpan().SequenceEqual(message)));
    }

    [Fact]
    public async Task A_stream_stays_open_while_others_come_and_go()
    {
        await using var server = await EchoServer.StartAsync();
        using var channel = server.Channel();
        var calls = channel.CreateCallInvoker();
        using var stream = calls.AsyncDuplexStreamingCall(EchoServiceBase.StreamMethod, null, Patience);
        for (var i = 0; i < 200; i++)
        {
            var message = BitConverter.GetBytes(i);
            await stream.RequestStream.WriteAsync(message);
            await calls.AsyncUnaryCall(EchoServiceBase.EchoMethod, null, Patience, message);
            Assert.True(await stream.ResponseStream.MoveNext(TestContext.Current.CancellationToken));
            Assert.Equal(message, stream.ResponseStream.Current);
        }

        await stream.RequestStream.CompleteAsync();
        Assert.False(await stream.ResponseStream.MoveNext(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_block_without_end_closes_the_connection_and_says_why()
    {
        await using var server = await EchoServer.StartAsync();
        await using var client = await KubeletClient.ConnectAsync(server.Path);
        await client.SendAsync(Frame.HeaderBlock(1, new byte[70_000], cuts: [16_000, 32_000, 48_000, 64_000]));
        while (await client.ReadAsync() is not null)
            continue;
        Assert.Contains(server.Log.Of(LogLevel.Warning), line =>
            line.Contains("the header block on stream 1 is larger than 65536 octets", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_block_that_never_ends_closes_the_connection_in_time()
    {
        var time = new FakeTimeProvider();
        await using var server = await EchoServer.StartAsync(services: services => services.AddSingleton<TimeProvider>(time));
        await using var client = await KubeletClient.ConnectAsync(server.Path);
        await client.SendAsync(new Frame(Frame.Headers, 0, 1, [0x82]));
        var ended = Task.Run(async () =>
        {
            while (await client.ReadAsync() is not null)
                continue;
        });
        while (!ended.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(ended, Task.Delay(5));
        }

        await ended;
        Assert.Contains(server.Log.Of(LogLevel.Warning), line =>
            line.Contains("a header block was not finished within 30 s", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Nothing_is_left_of_a_connection_however_it_ends()
    {
        var (begun, ended) = (0, 0);
        await using var server = await EchoServer.StartAsync((kestrel, path) => kestrel.ListenUnixSocket(path, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.Use(next => async connection =>
            {
                Interlocked.Increment(ref begun);
                try
                {
                    await next(connection);
                }
                finally
                {
                    Interlocked.Increment(ref ended);
                }
            });
            listen.UseSocketPathAuthority();
        }));
        var path = new ReferenceEncoder().Encode(new Style(), KubeletClient.Request("/test.Echo/Stream", Path));
        Func<KubeletClient, Task>[] ends =
        [
            _ => Task.CompletedTask,
            client => client.SendAsync(new Frame(Frame.Headers, 0, 1, path[..10])),
            client => client.SendAsync([0, 0, 9]),
            client => client.SendAsync(Frame.HeaderBlock(1, path)),
            client => client.SendAsync(new Frame(Frame.Continuation, 0, 1, path)),
            client => client.CallAsync(1, "/test.Echo/Echo", Path, 1),
        ];
        foreach (var end in ends)
        {
            foreach (var half in new[] { false, true })
            {
                await using var client = await KubeletClient.ConnectAsync(server.Path);
                await end(client);
                if (!half)
                    continue;
                client.EndInput();
                while (await client.ReadAsync() is not null)
                    continue;
            }
        }

        Assert.True(
            SpinWait.SpinUntil(() => Volatile.Read(ref ended) == 2 * ends.Length, TimeSpan.FromSeconds(10)),
            $"{begun} begun, {ended} ended");
    }

    [Fact]
    public async Task An_open_stream_does_not_hold_up_the_servers_stop()
    {
        await using var server = await EchoServer.StartAsync();
        await using var client = await KubeletClient.ConnectAsync(server.Path);
        await client.CallAsync(1, "/test.Echo/Echo", Path);
        var stopped = server.StopAsync();
        Assert.Equal(0, (await client.AnswerAsync(3)).GoAwayCode);
        await stopped.WaitAsync(TimeSpan.FromSeconds(10));
    }
}
