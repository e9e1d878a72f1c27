using System.IO.Pipelines;
using Carina.CsiGateway.Transport.Authority;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carina.CsiGateway.Tests.Transport;

/// <summary>The middleware between two pipes.</summary>
public sealed class BackPressureTests
{
    private static readonly byte[] _octets =
        [.. Frame.Preface, .. new Frame(Frame.Data, 0, 1, new byte[16_000]).ToBytes()];

    private readonly Pipe _fromClient = new(new PipeOptions(pauseWriterThreshold: 32 * 1024, resumeWriterThreshold: 16 * 1024));
    private readonly Pipe _toClient = new();

    private Task Run(ConnectionDelegate server)
    {
        var middleware = new SocketPathAuthority(
            new RequestFrameLimits(16_384, 64 * 1024, 4096),
            TimeSpan.FromSeconds(30),
            TimeProvider.System,
            NullLogger<SocketPathAuthority>.Instance);
        var connection = new DefaultConnectionContext("test")
        {
            Transport = new Duplex(_fromClient.Reader, _toClient.Writer),
        };
        return middleware.OnConnectionAsync(connection, server);
    }

    [Fact]
    public async Task A_server_that_does_not_read_stops_the_client()
    {
        var release = new TaskCompletionSource();
        var connection = Run(_ => release.Task);
        long sent = 0;
        var frame = _octets;
        while (true)
        {
            sent += frame.Length;
            var accepted = _fromClient.Writer.WriteAsync(frame).AsTask();
            if (await Task.WhenAny(accepted, Task.Delay(500)) != accepted)
                break;
            Assert.InRange(sent, 0, 512 * 1024);
            frame = _octets[Frame.Preface.Length..];
        }

        release.SetResult();
        await connection.WaitAsync(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task The_server_gets_all_of_it_when_it_reads_and_learns_of_the_end()
    {
        long received = 0;
        var connection = Run(async context =>
        {
            while (true)
            {
                var read = await context.Transport.Input.ReadAsync();
                received += read.Buffer.Length;
                context.Transport.Input.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                    return;
                await Task.Delay(1);
            }
        });
        await _fromClient.Writer.WriteAsync(_octets);
        for (var i = 0; i < 200; i++)
            await _fromClient.Writer.WriteAsync(_octets.AsMemory(Frame.Preface.Length));
        await _fromClient.Writer.CompleteAsync();
        await connection.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(Frame.Preface.Length + 201L * 16_009, received);
    }

    [Fact]
    public async Task The_server_learns_why_the_client_is_gone()
    {
        var connection = Run(async context => await context.Transport.Input.ReadAsync());
        await _fromClient.Writer.CompleteAsync(new ConnectionResetException("gone"));
        var failure = await Assert.ThrowsAsync<ConnectionResetException>(() => connection.WaitAsync(TimeSpan.FromSeconds(5)));
        Assert.Equal("gone", failure.Message);
    }

    [Fact]
    public async Task A_server_that_fails_ends_the_connection_with_its_error()
    {
        var connection = Run(_ => throw new InvalidOperationException("server"));
        await Assert.ThrowsAsync<InvalidOperationException>(() => connection.WaitAsync(TimeSpan.FromSeconds(5)));
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
