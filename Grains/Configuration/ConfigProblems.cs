namespace Carina.Grains.Configuration;

/// <summary>Collects the problems of one file and finds their lines.</summary>
internal sealed class ConfigProblems(ReadOnlyMemory<byte> text)
{
    /// <summary>More of them help nobody, and each becomes a log line.</summary>
    private const int MaxListed = 100;

    private readonly List<ConfigProblem> _errors = [];
    private readonly List<ConfigProblem> _warnings = [];
    private int _errorCount;
    private int _warningCount;

    public bool HasErrors => _errorCount > 0;

    public IReadOnlyList<ConfigProblem> Errors => Listed(_errors, _errorCount);

    public IReadOnlyList<ConfigProblem> Warnings => Listed(_warnings, _warningCount);

    public void Error(JsonValue at, string message) => Error(at.Offset, at.Path, message);

    public void Error(int offset, string path, string message) =>
        Add(_errors, ref _errorCount, offset, path, message);

    public void Warn(JsonValue at, string message) => Add(_warnings, ref _warningCount, at.Offset, at.Path, message);

    /// <summary>A warning that points at the name of a field rather than at its value.</summary>
    public void WarnOfField(JsonValue field, string message) =>
        Add(_warnings, ref _warningCount, field.KeyOffset, field.Path, message);

    /// <summary>Where a line (from 0) starts, in bytes.</summary>
    public int OffsetOfLine(long line)
    {
        var offset = 0;
        for (; line > 0; line--)
        {
            var newline = text.Span[offset..].IndexOf((byte)'\n');
            if (newline < 0)
                break;
            offset += newline + 1;
        }

        return offset;
    }

    /// <summary>In the order of the file.</summary>
    private static IReadOnlyList<ConfigProblem> Listed(List<ConfigProblem> problems, int count)
    {
        var sorted = problems.OrderBy(problem => problem.Line).ThenBy(problem => problem.Column);
        return count <= MaxListed
            ? [.. sorted]
            : [.. sorted, ConfigProblem.OfFile($"and {count - MaxListed} more of the same file are not listed.")];
    }

    private void Add(List<ConfigProblem> list, ref int count, int offset, string path, string message)
    {
        count++;
        if (list.Count == MaxListed)
            return;

        var before = text.Span[..Math.Min(offset, text.Length)];
        var lineStart = before.LastIndexOf((byte)'\n') + 1;
        var column = 1;
        foreach (var unit in before[lineStart..])
        {
            // The second and later bytes of a UTF-8 character are 10xxxxxx.
            if ((unit & 0xC0) != 0x80)
                column++;
        }

        list.Add(new ConfigProblem(before.Count((byte)'\n') + 1, column, path, message));
    }
}
