namespace Carina.Harness.Cluster;

/// <summary>Makes the directory that everything of a laboratory is in or below.</summary>
internal static class LaboratoryDirectory
{
    // The path of a socket can have 107 bytes (unix(7)).
    private const int LongestParent = 60;

    public static string Make()
    {
        var parent = Path.GetTempPath();
        if (parent.Length > LongestParent)
        {
            parent = "/tmp";
        }

        var directory = Path.Combine(parent, $"carina-lab-{Path.GetRandomFileName()[..6]}");
        return Directory.Exists(directory)
            ? throw new HarnessException($"{directory} exists already; try again.")
            : Directory.CreateDirectory(
                directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName;
    }
}
