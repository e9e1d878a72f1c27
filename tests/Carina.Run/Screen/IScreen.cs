namespace Carina.Run.Screen;

/// <summary>Where a person follows the run.</summary>
internal interface IScreen
{
    void Say(string text);

    /// <summary>Shows that something is under way while it is.</summary>
    Task WaitAsync(string what, Func<Task> work);

    /// <summary>Shows how a step ended.</summary>
    void Show(StepResult result);

    void Table(string title, IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<string>> rows);
}

/// <summary>One step of the run.</summary>
/// <param name="Step">What was done.</param>
/// <param name="Subject">To which volume; empty for the cluster.</param>
/// <param name="Duration">How long it took.</param>
/// <param name="Detail">What came of it, or what went wrong.</param>
/// <param name="Succeeded">Whether it did what it should.</param>
internal sealed record StepResult(string Step, string Subject, TimeSpan Duration, string Detail, bool Succeeded);
