using System.Diagnostics.Metrics;
using Carina.Grains.Telemetry;

namespace Carina.Grains.Failover;

/// <summary>Figures of failover, <c>carina_failover_*</c> in Prometheus' spelling.</summary>
internal static class FailoverMetrics
{
    private static readonly Meter _meter = new(CarinaTelemetry.SourceName);

    private static readonly Histogram<double> _attempts = _meter.CreateHistogram<double>(
        "carina.failover.attempt.duration", "s", "How long attempts to move a group of volumes took, by outcome.");

    private static readonly Histogram<double> _phases = _meter.CreateHistogram<double>(
        "carina.failover.phase.duration", "s", "How long a volume was in each phase of its move.");

    private static readonly Histogram<double> _moves = _meter.CreateHistogram<double>(
        "carina.failover.duration", "s", "How long moves of volumes took from their begin to the release of their pods.");

    public static void Finished(MoveCause cause, string outcome, TimeSpan duration) =>
        _attempts.Record(duration.TotalSeconds, new("outcome", outcome), new("cause", cause.ToString()));

    public static void Phase(string phase, TimeSpan duration) =>
        _phases.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("phase", phase));

    public static void Moved(MoveCause cause, TimeSpan duration) =>
        _moves.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("cause", cause.ToString()));
}
