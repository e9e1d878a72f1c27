using System.Runtime.InteropServices;
using Carina.Run;
using Carina.Run.Life;
using Carina.Run.Screen;
using Grpc.Core;
using Spectre.Console;

const int Failed = 1;
const int Misused = 2;
const int Interrupted = 130;

if (args is ["--help"] or ["-h"])
{
    Console.WriteLine(RunOptions.Usage);
    return 0;
}

if (RunOptions.Parse(args, out var problem) is not { } options)
{
    await Console.Error.WriteLineAsync($"{problem}\n{RunOptions.Usage}");
    return Misused;
}

// The first signal cleans up; nothing ends the clean-up but its end.
using var stop = new CancellationTokenSource();
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
IScreen screen = Console.IsOutputRedirected ? new PlainScreen(Console.Out) : new TerminalScreen(AnsiConsole.Console);
try
{
    await new ClusterLife(options, screen).RunAsync(stop.Token);
    screen.Say("Everything worked, and nothing is left.");
    return 0;
}
catch (Exception exception) when (stop.IsCancellationRequested
    && exception is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled })
{
    screen.Say("Interrupted.");
    return Interrupted;
}
catch (Exception exception)
{
    await Console.Error.WriteLineAsync($"FAILED: {exception.Message}");
    return Failed;
}

void Stop(PosixSignalContext context)
{
    context.Cancel = true;
    stop.Cancel();
}
