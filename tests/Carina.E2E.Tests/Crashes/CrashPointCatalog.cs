using System.Text.RegularExpressions;
using Carina.Harness.Cluster;
using Carina.Harness.Policies;

namespace Carina.E2E.Tests.Crashes;

/// <summary>The steps at which the driver can be killed, read from its sources so that none is forgotten.</summary>
internal static partial class CrashPointCatalog
{
    private static readonly string[] _rooms = ["Grains", "Silo"];

    // A room may name steps that only one policy's disks go through: "lvm.create.made".
    private static readonly string[] _policies = ["lvm", "file"];

    /// <summary>Steps of an operation (<c>create</c>, <c>expand</c>, <c>delete</c>) that a policy goes through.</summary>
    public static IEnumerable<string> Find(string operation, StoragePolicy policy) => All()
        .Where(point => OperationOf(point) == operation)
        .Where(point => !_policies.Contains(FirstPart(point)) || policy.Name.Equals(FirstPart(point), StringComparison.OrdinalIgnoreCase));

    /// <summary>All steps.</summary>
    public static IReadOnlyList<string> All() =>
    [
        .. _rooms
            .SelectMany(room => Directory.EnumerateFiles(
                Path.Combine(BuiltAssemblies.Root, room), "*.cs", SearchOption.AllDirectories))
            .Where(file => !file.Contains("/obj/", StringComparison.Ordinal))
            .SelectMany(file => Calls().Matches(File.ReadAllText(file)))
            .Select(call => call.Groups["point"].Value)
            .Distinct()
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>
    /// The operation that a step belongs to; empty when its name does not say. Adoption has no caller that repeats it: its
    /// crashes are tested where its disks are (LvmLegacyTests). Nor have a move and what is done with the copies that it leaves
    /// (copy, rename), with which the coordinator goes on.
    /// </summary>
    public static string OperationOf(string point) =>
        point.Split('.').FirstOrDefault(part => part is "create" or "expand" or "delete" or "adopt" or "move" or "rename" or "copy") ?? "";

    private static string FirstPart(string point) => point.Split('.')[0];

    // The name is a literal where the step is; anything else yields an empty name, which a test complains about.
    [GeneratedRegex(@"\.Reached\(\s*(?:""(?<point>[^""]*)"")?")]
    private static partial Regex Calls();
}
