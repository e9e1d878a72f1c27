namespace Carina.Grains.Configuration;

/// <summary>Something in <c>config.json</c> that a person has to know: where it stands and what is wrong with it.</summary>
/// <param name="Line">Line in the file, from 1; 0 when it concerns the file as a whole.</param>
/// <param name="Column">Character in the line, from 1; 0 when it concerns the file as a whole.</param>
/// <param name="Path">The field, as in <c>diskSelector[1].re[0]</c>; empty for the file as a whole.</param>
/// <param name="Message">What is wrong and what is allowed.</param>
public sealed record ConfigProblem(int Line, int Column, string Path, string Message)
{
    /// <summary>A problem of the file as a whole.</summary>
    public static ConfigProblem OfFile(string message) => new(0, 0, "", message);

    public override string ToString()
    {
        var field = Path.Length == 0 ? "" : $"{Path}: ";
        return Line == 0 ? $"{field}{Message}" : $"line {Line}, column {Column}: {field}{Message}";
    }
}
