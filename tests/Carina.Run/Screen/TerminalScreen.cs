using Spectre.Console;

namespace Carina.Run.Screen;

/// <summary>A terminal: colours, a moving sign of life, tables with borders.</summary>
internal sealed class TerminalScreen(IAnsiConsole console) : IScreen
{
    public void Say(string text) => console.WriteLine(text);

    public Task WaitAsync(string what, Func<Task> work) =>
        console.Status().Spinner(Spinner.Known.Dots).StartAsync(Markup.Escape(what), _ => work());

    public void Show(StepResult result) => console.MarkupLine(
        $"{(result.Succeeded ? "[green]✔[/]" : "[red]✘[/]")} [bold]{result.Subject,-6}[/] {Markup.Escape(result.Step),-32} "
        + $"[yellow]{Texts.Duration(result.Duration),8}[/]  [grey]{Markup.Escape(result.Detail)}[/]");

    public void Table(string title, IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<string>> rows)
    {
        var table = new Table().Title(Markup.Escape(title)).Border(TableBorder.Rounded);
        foreach (var (i, column) in columns.Index())
        {
            var header = new TableColumn(Markup.Escape(column));
            table.AddColumn(i == 0 ? header : header.RightAligned());
        }

        foreach (var row in rows)
        {
            table.AddRow([.. row.Select(Markup.Escape)]);
        }

        console.WriteLine();
        console.Write(table);
    }
}
