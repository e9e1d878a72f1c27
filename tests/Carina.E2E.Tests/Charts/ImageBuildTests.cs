using System.Text.RegularExpressions;
using Carina.Harness.Cluster;

namespace Carina.E2E.Tests.Charts;

/// <summary>What can be said of the image build where there is nothing to build images with.</summary>
public sealed partial class ImageBuildTests
{
    private static readonly string[] _lines = File.ReadAllLines(Path.Combine(BuiltAssemblies.Root, "Silo/Dockerfile"));

    private static string Text { get; } = string.Join('\n', _lines);

    [Fact]
    public void No_base_image_is_written_in_it() => Assert.All(
        _lines.Where(l => l.StartsWith("FROM ", StringComparison.Ordinal)),
        line => Assert.Matches(@"^FROM (--platform=\$BUILDPLATFORM )?\$\{(SDK|NODE|CONTROLLER)_IMAGE\} AS (build|node|controller)$", line));

    [Fact]
    public void What_it_copies_is_in_the_repository_and_is_sent_to_the_builder()
    {
        var sent = File.ReadAllLines(Path.Combine(BuiltAssemblies.Root, ".dockerignore"))
            .Where(l => l.StartsWith('!')).Select(l => l[1..]).ToHashSet();
        var copied = _lines.Where(l => l.StartsWith("COPY ", StringComparison.Ordinal) && !l.Contains("--from", StringComparison.Ordinal))
            .SelectMany(l => l.Split(' ')[1..^1]).Select(p => p.TrimEnd('/')).ToHashSet();
        Assert.Equal(sent.Order(StringComparer.Ordinal), copied.Order(StringComparer.Ordinal));
        Assert.All(copied, path => Assert.True(Path.Exists(Path.Combine(BuiltAssemblies.Root, path)), path));
    }

    /// <summary>A project that the program refers to and the builder does not get would fail only there.</summary>
    [Fact]
    public void All_projects_of_the_program_are_copied()
    {
        var open = new Queue<string>([Path.Combine(BuiltAssemblies.Root, "Silo/Carina.Silo.csproj")]);
        var seen = new HashSet<string>();
        while (open.TryDequeue(out var project))
        {
            foreach (Match reference in References().Matches(File.ReadAllText(project)))
            {
                var path = Path.GetFullPath(reference.Groups[1].Value, Path.GetDirectoryName(project)!);
                if (seen.Add(path))
                {
                    open.Enqueue(path);
                }
            }
        }

        Assert.NotEmpty(seen);
        Assert.All(seen, path => Assert.Contains(
            $"COPY {Path.GetRelativePath(BuiltAssemblies.Root, Path.GetDirectoryName(path)!)}/ ", Text, StringComparison.Ordinal));
    }

    [Fact]
    public void The_controller_is_not_root_and_the_program_is_where_the_chart_starts_it()
    {
        var controller = Text[Text.IndexOf("AS controller", StringComparison.Ordinal)..];
        Assert.Contains("\nUSER 65532:65532\n", controller, StringComparison.Ordinal);
        Assert.DoesNotContain("\nRUN ", controller, StringComparison.Ordinal);
        Assert.Equal(2, Text.Split("ENTRYPOINT [\"/app/Carina.Silo\"]").Length - 1);
    }

    [GeneratedRegex("ProjectReference Include=\"([^\"]+)\"")]
    private static partial Regex References();
}
