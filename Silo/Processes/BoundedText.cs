using System.Text;

namespace Carina.Silo.Processes;

/// <summary>What a program printed, up to a limit; the rest is read, so that it does not block, and dropped.</summary>
internal sealed class BoundedText(int limit)
{
    private readonly StringBuilder _text = new();

    /// <summary>Whether something was dropped.</summary>
    public bool Overflowed { get; private set; }

    public async Task FillAsync(TextReader reader, CancellationToken cancellationToken)
    {
        var buffer = new char[4096];
        int read;
        while ((read = await reader.ReadAsync(buffer.AsMemory(), cancellationToken).ConfigureAwait(false)) > 0)
        {
            var kept = Math.Min(read, limit - _text.Length);
            _text.Append(buffer, 0, kept);
            Overflowed |= kept < read;
        }
    }

    public override string ToString() => Overflowed ? _text + "…" : _text.ToString();
}
