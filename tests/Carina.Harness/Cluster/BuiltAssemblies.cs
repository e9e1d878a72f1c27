namespace Carina.Harness.Cluster;

/// <summary>Where the build puts the programs that are started as processes: beside this one, of the same configuration.</summary>
public static class BuiltAssemblies
{
    /// <summary>The repository's root.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The driver.</summary>
    public static string Silo { get; } = Find("Silo", "Carina.Silo");

    /// <summary>The driver that dies where it is told to.</summary>
    public static string TestSilo { get; } = Find("tests/Carina.TestSilo", "Carina.TestSilo");

    private static string Find(string project, string assembly)
    {
        // .../tests/Carina.X/bin/Release/net10.0/
        var own = new DirectoryInfo(AppContext.BaseDirectory);
        // A released build is compiled ahead of time into publish/ (Silo/ReadyToRun.props), which starts faster.
        var output = Path.Combine(Root, project, "bin", own.Parent!.Name, own.Name);
        return Path.Combine(output, own.Parent.Name == "Release" ? "publish" : "", assembly + ".dll");
    }

    private static string FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory.FullName, "carina.sln")))
        {
            directory = directory.Parent
                ?? throw new HarnessException($"{AppContext.BaseDirectory} is not below the repository (carina.sln).");
        }

        return directory.FullName;
    }
}
