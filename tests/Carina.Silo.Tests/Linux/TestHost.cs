using System.Diagnostics;
using Carina.Silo.Processes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carina.Silo.Tests.Linux;

/// <summary>
/// A private directory of the test with loop devices and mounts in it; disposal unmounts, detaches and deletes all of
/// them, also after a failure. Tests that use it need root, loop devices and the programs of README "Tests".
/// </summary>
public sealed class TestHost : IDisposable
{
    public TestHost()
    {
        Root = Directory.CreateDirectory(
            Path.Combine("/var/tmp", "carina-test-" + Guid.NewGuid().ToString("N")[..12])).FullName;
    }

    public string Root { get; }

    internal static ICommandRunner Runner { get; } =
        new ProcessRunner(TimeProvider.System, NullLogger<ProcessRunner>.Instance);

    public string Combine(string name) => Path.Combine(Root, name);

    public string MakeDirectory(string name) => Directory.CreateDirectory(Combine(name)).FullName;

    /// <summary>Runs a program and demands success; returns its trimmed output.</summary>
    public static string Run(string program, params string[] arguments)
    {
        var (exit, output) = TryRun(program, arguments);
        Assert.True(exit == 0, $"{program} {string.Join(' ', arguments)} ended with {exit}: {output}");
        return output;
    }

    public static (int ExitCode, string Output) TryRun(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("/usr/bin/env", [program, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin", ["LC_ALL"] = "C", ["LVM_SUPPRESS_FD_WARNINGS"] = "1" },
        })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, (output + error.GetAwaiter().GetResult()).Trim());
    }

    /// <summary>A sparse file of this size.</summary>
    public string MakeFile(string name, long bytes)
    {
        var path = Combine(name);
        using var file = File.Create(path);
        file.SetLength(bytes);
        return path;
    }

    /// <summary>A loop device over a new sparse file.</summary>
    public string MakeDisk(string name, long bytes, params string[] options) =>
        Run("losetup", ["--find", "--show", .. options, MakeFile(name, bytes)]);

    /// <summary>A file system of its own, mounted at a directory of this name.</summary>
    public string MakeMountedDisk(string name, long bytes, string fileSystem = "ext4")
    {
        var device = MakeDisk(name + ".disk", bytes);
        Run("mkfs." + fileSystem, "-q", device);
        var directory = MakeDirectory(name);
        Run("mount", device, directory);
        return directory;
    }

    public MountedHere Mounts => new(Root);

    public void Dispose()
    {
        // File systems lie in files on file systems: each round frees what the next one can. A device is detached only
        // once: if somebody else looks at it just then, it goes when they are done, and its number may be reused.
        var detached = new HashSet<string>();
        for (var round = 0; round < 100 && (Mounts.Paths.Count > 0 || AttachedLoops().Count > 0); round++)
        {
            foreach (var path in Mounts.Paths.Reverse())
                TryRun("umount", round < 50 ? ["--no-canonicalize", path] : ["--no-canonicalize", "--lazy", path]);

            foreach (var loop in AttachedLoops().Where(detached.Add))
                TryRun("losetup", "--detach", loop);

            Thread.Sleep(20 * Math.Min(round, 5));
        }

        Directory.Delete(Root, recursive: true);
    }

    private List<string> AttachedLoops() =>
    [
        .. TryRun("losetup", "--list", "--noheadings", "--raw", "--output", "NAME,BACK-FILE").Output.Split('\n')
            .Select(line => line.Split(' ', 2))
            .Where(columns => columns.Length == 2 && columns[1].StartsWith(Root + "/", StringComparison.Ordinal))
            .Select(columns => columns[0]),
    ];

    /// <summary>Mount points below a directory, oldest first, read independently of the code under test.</summary>
    public sealed class MountedHere(string root)
    {
        public IReadOnlyList<string> Paths =>
        [
            .. File.ReadLines("/proc/self/mountinfo")
                .Select(line => line.Split(' ')[4].Replace("\\040", " ", StringComparison.Ordinal))
                .Where(path => path.StartsWith(root + "/", StringComparison.Ordinal)),
        ];
    }
}
