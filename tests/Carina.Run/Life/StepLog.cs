using System.Diagnostics;
using Carina.Run.Screen;

namespace Carina.Run.Life;

/// <summary>Runs steps one after another, shows each and remembers how long it took.</summary>
internal sealed class StepLog(IScreen screen)
{
    private readonly List<StepResult> _results = [];

    /// <summary>Runs a step; its text says what came of it. A failure is shown and passed on.</summary>
    public async Task RunAsync(string step, string subject, Func<Task<string>> work)
    {
        var started = Stopwatch.GetTimestamp();
        var detail = "";
        try
        {
            await screen.WaitAsync($"{subject} {step} ...".TrimStart(), async () => detail = await work());
        }
        catch (Exception exception)
        {
            Add(succeeded: false, exception.Message.Split('\n')[0]);
            throw;
        }

        Add(succeeded: true, detail);

        void Add(bool succeeded, string text)
        {
            var result = new StepResult(step, subject, Stopwatch.GetElapsedTime(started), text, succeeded);
            _results.Add(result);
            screen.Show(result);
        }
    }

    /// <summary>One row for each step, one column for each volume.</summary>
    public void ShowSummary(IReadOnlyList<string> subjects)
    {
        var rows = new List<IReadOnlyList<string>>();
        foreach (var step in _results.GroupBy(r => r.Step))
        {
            var whole = step.Where(r => r.Subject.Length == 0).ToList();
            rows.Add(
            [
                step.Key,
                .. subjects.Select(s => Cell([.. step.Where(r => r.Subject == s)])),
                Cell(whole),
            ]);
        }

        rows.Add(["total", .. subjects.Select(s => Total(r => r.Subject == s)), Total(_ => true)]);
        screen.Table("Time of each step", ["step", .. subjects, "cluster"], rows);
    }

    private string Total(Func<StepResult, bool> which) =>
        Texts.Duration(_results.Where(which).Aggregate(TimeSpan.Zero, (sum, r) => sum + r.Duration));

    private static string Cell(List<StepResult> results) => results.Count == 0 ? "" :
        (results.All(r => r.Succeeded) ? "" : "FAILED ")
        + Texts.Duration(results.Aggregate(TimeSpan.Zero, (sum, r) => sum + r.Duration));
}
