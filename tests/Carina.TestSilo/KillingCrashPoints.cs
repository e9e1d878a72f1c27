using System.Runtime.InteropServices;
using Carina.Grains.Volumes;

namespace Carina.TestSilo;

/// <summary>
/// Kills its own process, for real, at the step that a file names: <c>POINT</c>, or <c>POINT@VOLUME</c> for one volume
/// only. The process that gets there first takes the file away, so that one order kills one process once, and leaves
/// its number in <c>FILE.PID</c> as the proof that the step was reached.
/// </summary>
internal sealed partial class KillingCrashPoints(string file) : ICrashPoints
{
    /// <summary>Names the file; without it nothing happens.</summary>
    public const string Variable = "CARINA_CRASH_FILE";

    private const int Sigkill = 9;

    public void Reached(string point, string volumeId)
    {
        if (Read() is { } order && (order == point || order == $"{point}@{volumeId}") && Claim())
        {
            _ = Kill(Environment.ProcessId, Sigkill);

            // The signal may need a moment, in which nothing more may happen here.
            Thread.Sleep(Timeout.Infinite);
        }
    }

    private string? Read()
    {
        try
        {
            return File.ReadAllText(file).Trim();
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    private bool Claim()
    {
        try
        {
            File.Move(file, $"{file}.{Environment.ProcessId}");
            return true;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int processId, int signal);
}
