using Carina.Grains.Configuration;

namespace Carina.Silo.Configuration;

internal sealed partial class ConfigFileSource
{
    [LoggerMessage(LogLevel.Information, "Configuration {File} is in force: {Groups} groups, {Strategy}, periodic scan every {ScanInterval}")]
    private partial void LogApplied(string file, int groups, SchedulerStrategy strategy, TimeSpan? scanInterval);

    [LoggerMessage(LogLevel.Information, "Configuration {File} is again the one in force")]
    private partial void LogRestored(string file);

    [LoggerMessage(LogLevel.Error, "Configuration {File} is not applied for {Errors} errors; in force stays {InForce}")]
    private partial void LogRejected(string file, string inForce, int errors);

    [LoggerMessage(LogLevel.Error, "Configuration {File} line {Line}, column {Column}, field {Field}: {Problem}")]
    private partial void LogError(string file, int line, int column, string field, string problem);

    [LoggerMessage(LogLevel.Warning, "Configuration {File} line {Line}, column {Column}, field {Field}: {Problem}")]
    private partial void LogWarning(string file, int line, int column, string field, string problem);

    [LoggerMessage(LogLevel.Error, "A listener to changes of configuration {File} failed; the configuration is in force nevertheless")]
    private partial void LogListenerFailed(Exception exception, string file);
}
