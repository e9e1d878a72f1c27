namespace Carina.Run.Screen;

/// <summary>Lines of text, for files and pipes.</summary>
internal sealed class PlainScreen(TextWriter output) : IScreen
{
    public void Say(string text) => output.WriteLine(text);

    public Task WaitAsync(string what, Func<Task> work) => work();

    public void Show(StepResult result) => output.WriteLine(
        $"{(result.Succeeded ? "ok    " : "FAILED")} {result.Subject,-6} {result.Step,-32} "
        + $"{Texts.Duration(result.Duration),8}  {result.Detail}".TrimEnd());

    public void Table(string title, IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<string>> rows)
    {
        var widths = columns.Select((column, i) => rows.Select(r => r[i].Length).Append(column.Length).Max()).ToList();
        output.WriteLine();
        output.WriteLine(title);
        Row(columns);
        Row([.. widths.Select(w => new string('-', w))]);
        foreach (var row in rows)
        {
            Row(row);
        }

        output.WriteLine();

        void Row(IReadOnlyList<string> cells) => output.WriteLine("  " + string.Join("  ", cells.Select(
            (cell, i) => i == 0 ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i]))).TrimEnd());
    }
}
