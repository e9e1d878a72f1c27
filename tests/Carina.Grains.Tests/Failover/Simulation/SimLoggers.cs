using Carina.Grains.Tests.Failover.Simulation.Engine;
using Microsoft.Extensions.Logging;

namespace Carina.Grains.Tests.Failover.Simulation;

/// <summary>Puts what production code logs beside what happens, and notices what nobody meant to log.</summary>
internal sealed class SimLoggers(SimCluster cluster)
{
    private static readonly string[] _bugs = ["Object reference", "Sequence contains", "out of range", "The given key", "already been added"];

    public ILoggerFactory Of(SimProcess process) => new Factory(cluster, process);

    private sealed class Factory(SimCluster cluster, SimProcess process) : ILoggerFactory, ILogger
    {
        public void AddProvider(ILoggerProvider provider)
        {
        }

        public ILogger CreateLogger(string categoryName) => this;

        public void Dispose()
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var text = formatter(state, exception);
            cluster.Simulator.Note($"{process.Name}: {text}");
            if (_bugs.Any(b => text.Contains(b, StringComparison.Ordinal)) && process.IsAlive)
            {
                cluster.Simulator.Fail($"{process.Name} logs: {text}");
            }
        }
    }
}
