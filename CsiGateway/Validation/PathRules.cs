using System.Text;
using Carina.CsiGateway.Hosting;

namespace Carina.CsiGateway.Validation;

/// <summary>
/// Paths that callers hand to a process that runs as root: absolute, without detours, and below the directories where
/// volumes may appear.
/// </summary>
internal sealed class PathRules(CsiOptions options)
{
    /// <summary>Longest path in bytes (PATH_MAX of Linux).</summary>
    public const int MaxBytes = 4096;

    private readonly string[] _roots = [.. options.AllowedPathRoots.Select(Normalize)];

    /// <summary>A path at which something is mounted or unmounted; returned in normal form.</summary>
    /// <remarks>
    /// Symbolic links are refused here for the sake of a clear answer; that none can slip in later is ensured where
    /// the path is used.
    /// </remarks>
    public string ReadMountPath(string field, string path)
    {
        var (normal, root) = ReadBelowRoot(field, path);
        for (var i = root.Length + 1; i <= normal.Length; i++)
        {
            if ((i == normal.Length || normal[i] == '/') && IsSymbolicLink(normal[..i]))
            {
                throw Refusal.Invalid(
                    field, $"leads through the symbolic link {Refusal.Quote(normal[..i])}; give a path without links.");
            }
        }

        return normal;
    }

    /// <summary>A path at which a volume already is; returned in normal form.</summary>
    public string Read(string field, string path) => ReadBelowRoot(field, path).Path;

    /// <summary>As <see cref="Read"/>, but null for a path at which no volume can be.</summary>
    public string? TryRead(string path) =>
        path.Length > 0 && FindFault(path) is null && FindRoot(Normalize(path)) is not null ? Normalize(path) : null;

    private (string Path, string Root) ReadBelowRoot(string field, string path)
    {
        if (path.Length == 0)
        {
            throw Refusal.Missing(field);
        }

        if (FindFault(path) is { } fault)
        {
            throw Refusal.Invalid(field, $"{Refusal.Quote(path)} {fault}");
        }

        var normal = Normalize(path);
        return FindRoot(normal) is { } root
            ? (normal, root)
            : throw Refusal.Invalid(
                field, $"{Refusal.Quote(path)} is not below {string.Join(" or ", _roots)}, where volumes may appear.");
    }

    private string? FindRoot(string path) => _roots.FirstOrDefault(
        root => path.Length > root.Length + 1
            && path[root.Length] == '/'
            && path.StartsWith(root, StringComparison.Ordinal));

    private static string? FindFault(string path)
    {
        if (Encoding.UTF8.GetByteCount(path) > MaxBytes)
        {
            return $"is longer than {MaxBytes} bytes.";
        }

        if (path[0] != '/')
        {
            return "is not absolute; give a path that begins with \"/\".";
        }

        if (TextRules.HasControlCharacters(path))
        {
            return "contains control characters.";
        }

        return path.Split('/').Contains("..") ? "contains \"..\"; give the path without detours." : null;
    }

    // Without empty segments, "." and a slash at the end; "/" becomes "".
    private static string Normalize(string path) =>
        string.Concat(path.Split('/').Where(segment => segment is not ("" or ".")).Select(segment => "/" + segment));

    // False for what does not exist: the driver creates it.
    private static bool IsSymbolicLink(string path) => new FileInfo(path).LinkTarget is not null;
}
