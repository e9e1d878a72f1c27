using System.Runtime.InteropServices;

namespace Carina.Harness.Processes;

/// <summary>Signals to processes, kill(2).</summary>
internal static partial class Signals
{
    public const int Terminate = 15;

    public const int Continue = 18;

    public const int Stop = 19;

    public static void Send(int processId, int signal) => _ = Kill(processId, signal);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int processId, int signal);
}
