namespace Carina.Harness.Cluster;

/// <summary>What tells a laboratory's processes from others: a variable that children inherit.</summary>
internal static class LaboratoryMark
{
    public const string Variable = "CARINA_LABORATORY";

    /// <summary>Processes that bear the mark of a laboratory, with their command lines.</summary>
    public static IReadOnlyList<string> FindProcesses(string directory)
    {
        var mark = $"{Variable}={directory}";
        var found = new List<string>();
        foreach (var process in new DirectoryInfo("/proc").EnumerateDirectories())
        {
            if (int.TryParse(process.Name, out var id) && Read(process, "environ").Split('\0').Contains(mark))
            {
                found.Add($"{id} {Read(process, "cmdline").Replace('\0', ' ').Trim()}");
            }
        }

        return found;
    }

    private static string Read(DirectoryInfo process, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process.FullName, file));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Gone in the meantime, or a thread of the kernel.
            return "";
        }
    }
}
