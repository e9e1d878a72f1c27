namespace Carina.Silo.Configuration;

internal sealed partial class ConfigFileWatcher
{
    [LoggerMessage(LogLevel.Warning, "Changes in {Directory} cannot be watched; its configuration file is looked at from time to time. Where inotify is used up, raise fs.inotify.max_user_instances or max_user_watches")]
    private partial void LogCannotWatch(Exception exception, string directory);

    [LoggerMessage(LogLevel.Information, "Changes in {Directory} are watched again")]
    private partial void LogWatching(string directory);

    [LoggerMessage(LogLevel.Warning, "Watching {Directory} failed and is started anew")]
    private partial void LogWatchFailed(Exception exception, string directory);
}
