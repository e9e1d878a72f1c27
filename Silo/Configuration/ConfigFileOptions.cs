namespace Carina.Silo.Configuration;

/// <summary>Where <c>config.json</c> is and how its changes are noticed.</summary>
internal sealed class ConfigFileOptions
{
    /// <summary>Absolute path, in a cluster that of the mounted ConfigMap: <c>/etc/carina/config.json</c>.</summary>
    public string Path { get; set; } = "/etc/carina/config.json";

    /// <summary>
    /// Time from the first sign of a change to reading the file, so that a file that is written in pieces is read once
    /// and whole.
    /// </summary>
    public TimeSpan Debounce { get; set; } = TimeSpan.FromMilliseconds(300);

    /// <summary>Time between looks at the file that need no sign: links into other directories, no inotify left.</summary>
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(30);
}
