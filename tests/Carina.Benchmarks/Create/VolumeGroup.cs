using System.Diagnostics;

namespace Carina.Benchmarks.Create;

/// <summary>A volume group on a loop device over a sparse file in memory; gone with its disposal.</summary>
internal sealed class VolumeGroup : IDisposable
{
    private readonly string _directory = Directory.CreateDirectory($"/dev/shm/carina-benchmark-{Environment.ProcessId}").FullName;

    private VolumeGroup(string name) => Name = name;

    public string Name { get; }

    public string Disk { get; private set; } = "";

    public string RuntimeDirectory => Path.Combine(_directory, "lvm");

    public static VolumeGroup Make(long mebibytes)
    {
        var group = new VolumeGroup($"carina-benchmark-{Environment.ProcessId}");
        try
        {
            var file = Path.Combine(group._directory, "disk");
            using (var disk = File.Create(file))
                disk.SetLength(mebibytes << 20);

            group.Disk = Run("losetup", "--find", "--show", file);
            Run("vgcreate", "-q", group.Name, group.Disk);
            return group;
        }
        catch
        {
            group.Dispose();
            throw;
        }
    }

    /// <summary>Runs a program that must succeed; its output, trimmed.</summary>
    public static string Run(string program, params string[] arguments) => TryRun(program, arguments) is (0, var output)
        ? output
        : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} failed");

    public void Dispose()
    {
        TryRun("vgremove", "-qff", Name);
        if (Disk.Length > 0)
            TryRun("losetup", "--detach", Disk);

        Directory.Delete(_directory, recursive: true);
    }

    private static (int ExitCode, string Output) TryRun(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        error.Wait();
        return (process.ExitCode, output.Trim());
    }
}
