using System.Buffers;

namespace Carina.CsiGateway.Transport.Authority;

/// <summary>
/// Passes on what an HTTP/2 client sends (RFC 9113), octet for octet except header blocks that
/// <see cref="HeaderBlockRewriter"/> changes. Everything but header blocks passes as it arrives, in parts of frames. What
/// it cannot parse, and all that follows, it passes as it is: to refuse that is the server's part, and each such error
/// ends the connection (sections 3.4, 4.2, 4.3, 6.2, 6.10).
/// </summary>
/// <param name="limits">What the client may send.</param>
internal sealed class RequestFrameFilter(RequestFrameLimits limits)
{
    private readonly HeaderBlockRewriter _rewriter = new(limits.HeaderTableSize, limits.HeaderBlockSize);
    private readonly HeaderBlockFrames _held = new();
    private readonly ArrayBufferWriter<byte> _block = new();
    private readonly ArrayBufferWriter<byte> _rewritten = new();
    private readonly byte[] _frameHeader = new byte[FrameHeader.Size];
    private State _state = State.Preface;
    private int _prefaceRead;
    private int _frameHeaderRead;
    private int _payloadLeft;
    private bool _blockEnds;

    private enum State
    {
        Preface,
        FrameHeader,
        Payload,
        HeaderPayload,
        PassAll,
    }

    /// <summary>True between the first octet of HEADERS and the end of its block.</summary>
    public bool HoldsHeaders => !_held.IsEmpty;

    /// <summary>Header blocks rewritten so far.</summary>
    public long BlocksRewritten { get; private set; }

    /// <summary>Section 3.4.</summary>
    private static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;

    /// <summary>Takes the next octets, in parts of any size.</summary>
    /// <exception cref="RequestFrameException">The client exceeds <paramref name="output"/>'s limits.</exception>
    public void Pass(ReadOnlySpan<byte> input, IBufferWriter<byte> output)
    {
        while (!input.IsEmpty)
        {
            var taken = _state switch
            {
                State.Preface => PassPreface(input, output),
                State.FrameHeader => TakeFrameHeader(input, output),
                State.Payload => PassPayload(input, output),
                State.HeaderPayload => TakeHeaderPayload(input, output),
                _ => PassAll(input, output),
            };
            input = input[taken..];
        }
    }

    /// <summary>The client ends here, perhaps within a frame: passes on what is held.</summary>
    public void End(IBufferWriter<byte> output)
    {
        GiveUp(output);
        output.Write(_frameHeader.AsSpan(0, _frameHeaderRead));
        _frameHeaderRead = 0;
    }

    private int PassPreface(ReadOnlySpan<byte> input, IBufferWriter<byte> output)
    {
        var part = input[..Math.Min(input.Length, Preface.Length - _prefaceRead)];
        if (!part.SequenceEqual(Preface.Slice(_prefaceRead, part.Length)))
        {
            _state = State.PassAll;
            return 0;
        }

        output.Write(part);
        _prefaceRead += part.Length;
        if (_prefaceRead == Preface.Length)
            _state = State.FrameHeader;
        return part.Length;
    }

    private int TakeFrameHeader(ReadOnlySpan<byte> input, IBufferWriter<byte> output)
    {
        var part = input[..Math.Min(input.Length, FrameHeader.Size - _frameHeaderRead)];
        part.CopyTo(_frameHeader.AsSpan(_frameHeaderRead));
        _frameHeaderRead += part.Length;
        if (_frameHeaderRead == FrameHeader.Size)
        {
            _frameHeaderRead = 0;
            StartFrame(FrameHeader.Read(_frameHeader), output);
        }

        return part.Length;
    }

    private void StartFrame(FrameHeader header, IBufferWriter<byte> output)
    {
        // Section 4.3: nothing may come between the frames of a block, of this stream or another.
        var headers = HoldsHeaders
            ? header.Type == FrameType.Continuation && header.StreamId == _held.StreamId
            : header.Type == FrameType.Headers;
        if (!headers)
        {
            // A stray CONTINUATION goes this way too.
            if (HoldsHeaders)
                GiveUp(output);
            else
                _state = header.Length > 0 ? State.Payload : State.FrameHeader;
            output.Write(_frameHeader);
            _payloadLeft = header.Length;
            return;
        }

        if (header.Length > limits.FrameSize)
        {
            GiveUp(output);
            output.Write(_frameHeader);
            return;
        }

        if (_held.Size + FrameHeader.Size + header.Length > limits.HeaderBlockSize)
            throw new RequestFrameException(
                $"the header block on stream {header.StreamId} is larger than {limits.HeaderBlockSize} octets");

        _held.Append(_frameHeader);
        _payloadLeft = header.Length;
        _blockEnds = header.Flags.HasFlag(FrameFlags.EndHeaders);
        _state = State.HeaderPayload;
        if (_payloadLeft == 0)
            EndHeaderFrame(output);
    }

    private int PassPayload(ReadOnlySpan<byte> input, IBufferWriter<byte> output)
    {
        var part = input[..Math.Min(input.Length, _payloadLeft)];
        output.Write(part);
        _payloadLeft -= part.Length;
        if (_payloadLeft == 0)
            _state = State.FrameHeader;
        return part.Length;
    }

    private int TakeHeaderPayload(ReadOnlySpan<byte> input, IBufferWriter<byte> output)
    {
        var part = input[..Math.Min(input.Length, _payloadLeft)];
        _held.Append(part);
        _payloadLeft -= part.Length;
        if (_payloadLeft == 0)
            EndHeaderFrame(output);
        return part.Length;
    }

    private void EndHeaderFrame(IBufferWriter<byte> output)
    {
        _state = State.FrameHeader;
        if (!_blockEnds)
            return;

        _block.ResetWrittenCount();
        _rewritten.ResetWrittenCount();
        var outcome = _held.TryJoin(_block)
            ? _rewriter.Rewrite(_block.WrittenSpan, _rewritten)
            : HeaderBlockOutcome.Malformed;
        switch (outcome)
        {
            case HeaderBlockOutcome.Unchanged:
                _held.CopyTo(output);
                _held.Clear();
                break;
            case HeaderBlockOutcome.Rewritten:
                _held.Write(_rewritten.WrittenSpan, output);
                _held.Clear();
                BlocksRewritten++;
                break;
            case HeaderBlockOutcome.Malformed:
                GiveUp(output);
                break;
            default:
                throw new RequestFrameException(
                    $"the header fields on stream {_held.StreamId} are larger than {limits.HeaderBlockSize} octets");
        }
    }

    private void GiveUp(IBufferWriter<byte> output)
    {
        _held.CopyTo(output);
        _held.Clear();
        _state = State.PassAll;
    }

    private static int PassAll(ReadOnlySpan<byte> input, IBufferWriter<byte> output)
    {
        output.Write(input);
        return input.Length;
    }
}

/// <summary>What a client may send, in octets.</summary>
/// <param name="FrameSize">Largest payload of a header frame: the server's SETTINGS_MAX_FRAME_SIZE.</param>
/// <param name="HeaderBlockSize">Largest header block, its frame headers and padding included.</param>
/// <param name="HeaderTableSize">Largest dynamic table.</param>
internal sealed record RequestFrameLimits(int FrameSize, int HeaderBlockSize, int HeaderTableSize);

/// <summary>The client exceeds a limit; the message says which.</summary>
internal sealed class RequestFrameException(string message) : Exception(message);
