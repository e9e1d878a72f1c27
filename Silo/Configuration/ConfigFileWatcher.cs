namespace Carina.Silo.Configuration;

/// <summary>
/// Signals that a file may have changed. It watches the directory and not the file: the kubelet replaces the link
/// <c>..data</c> next to it, and editors and <c>mv</c> replace the file itself.
/// </summary>
internal sealed partial class ConfigFileWatcher(string path, Action signal, ILogger logger) : IDisposable
{
    private readonly string _directory = Path.GetDirectoryName(path)!;
    private readonly string _name = Path.GetFileName(path);
    private FileSystemWatcher? _watcher;
    private bool _failureLogged;
    private int _signalled;
    private int _broken;

    /// <summary>Whether it signalled since the last call.</summary>
    public bool TakeSignalled() => Interlocked.Exchange(ref _signalled, 0) == 1;

    /// <summary>Watches if it does not yet; where that cannot be, says so once and is to be called again later.</summary>
    public void EnsureWatching()
    {
        if (Interlocked.Exchange(ref _broken, 0) == 1)
            Dispose();
        if (_watcher is not null)
            return;

        try
        {
            _watcher = Watch();
            if (_failureLogged)
                LogWatching(_directory);
            _failureLogged = false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // No directory (ArgumentException), or the node has no inotify instances or watches left.
            if (!_failureLogged)
                LogCannotWatch(e, _directory);
            _failureLogged = true;
        }
    }

    /// <summary>Watches anew, after a change that the watch did not see: its directory may be another one now.</summary>
    public void Restart()
    {
        Dispose();
        EnsureWatching();
    }

    public void Dispose()
    {
        _watcher?.Dispose();
        _watcher = null;
    }

    private FileSystemWatcher Watch()
    {
        // Not LastAccess: our own reading would wake us.
        var watcher = new FileSystemWatcher(_directory)
        {
            NotifyFilter = NotifyFilters.FileName | NotifyFilters.DirectoryName | NotifyFilters.LastWrite | NotifyFilters.Attributes,
        };
        try
        {
            watcher.Created += (_, change) => OnChange(change.Name);
            watcher.Changed += (_, change) => OnChange(change.Name);
            watcher.Deleted += (_, change) => OnChange(change.Name);
            watcher.Renamed += (_, change) =>
            {
                OnChange(change.OldName);
                OnChange(change.Name);
            };
            watcher.Error += (_, error) => OnError(error.GetException());
            watcher.EnableRaisingEvents = true;
            return watcher;
        }
        catch
        {
            watcher.Dispose();
            throw;
        }
    }

    private void OnChange(string? name)
    {
        // Names that begin with ".." are the kubelet's.
        if (name is not null && (name == _name || name.StartsWith("..", StringComparison.Ordinal)))
            Signal();
    }

    private void OnError(Exception error)
    {
        LogWatchFailed(error, _directory);
        Interlocked.Exchange(ref _broken, 1);
        Signal();
    }

    private void Signal()
    {
        Interlocked.Exchange(ref _signalled, 1);
        signal();
    }
}
