using System.Diagnostics;

namespace Carina.Silo.Tests.Configuration;

/// <summary>A directory with a <c>config.json</c>, written in the ways that occur.</summary>
internal sealed class ConfigDirectory : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("carina-config-").FullName;
    private int _version;

    public ConfigDirectory() => Directory.CreateDirectory(Mount);

    /// <summary>Where the file is; <see cref="Aside"/> is another directory of the same file system.</summary>
    public string Mount => Path.Combine(_root, "mount");

    public string Aside => Directory.CreateDirectory(Path.Combine(_root, "aside")).FullName;

    public string File => Path.Combine(Mount, "config.json");

    /// <summary>A configuration with one group of that name.</summary>
    public static string Named(string group) =>
        $$"""{"diskSelector": [{"name": "{{group}}", "re": ["^/dev/sdb$"], "policy": "LVM"}]}""";

    public void Write(string text) => System.IO.File.WriteAllText(File, text);

    /// <summary>As editors and <c>mv</c> do it.</summary>
    public void Replace(string text)
    {
        var written = Path.Combine(Mount, "written.tmp");
        System.IO.File.WriteAllText(written, text);
        System.IO.File.Move(written, File, overwrite: true);
    }

    /// <summary>
    /// As the kubelet does it: a new directory, a new link to it, renamed onto <c>..data</c>; then the old directory
    /// goes. <c>config.json</c> is a link through <c>..data</c> and stays as it is.
    /// </summary>
    public async Task ProjectAsync(string text)
    {
        var link = Path.Combine(Mount, "..data");
        var old = new DirectoryInfo(link).LinkTarget;
        var name = $"..2026_01_01_00_00_{++_version:D2}.123456789";
        Directory.CreateDirectory(Path.Combine(Mount, name));
        await System.IO.File.WriteAllTextAsync(Path.Combine(Mount, name, "config.json"), text);
        System.IO.File.CreateSymbolicLink(link + "_tmp", name);
        await MoveAsync(link + "_tmp", link);
        if (!Path.Exists(File))
            System.IO.File.CreateSymbolicLink(File, "..data/config.json");
        if (old is not null)
            Directory.Delete(Path.Combine(Mount, old), recursive: true);
    }

    /// <summary>rename(2): File.Move and Directory.Move do not rename a link onto a link.</summary>
    public static async Task MoveAsync(string from, string to)
    {
        using var process = Process.Start("mv", ["-T", from, to]);
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);
}
