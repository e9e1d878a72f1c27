using k8s;
using k8s.Models;

namespace Carina.Kubernetes.Upgrade;

/// <summary>
/// Pods of Carina up to 0.14. While one runs no LogicVolume may vanish, not even for a moment: its agent would delete the
/// volume behind it.
/// </summary>
internal static class OldAgents
{
    private static readonly string[] _programs = ["carina-node", "carina-controller"];

    /// <summary>Names of those that are there, in whatever state.</summary>
    public static async Task<IReadOnlyList<string>> FindAsync(IKubernetes client, CancellationToken cancellationToken)
    {
        var found = new List<string>();
        string? next = null;
        do
        {
            var page = await client.CoreV1.ListPodForAllNamespacesAsync(
                continueParameter: next, limit: 500, cancellationToken: cancellationToken).ConfigureAwait(false);
            found.AddRange(page.Items.Where(IsOld).Select(p => $"{p.Metadata.NamespaceProperty}/{p.Metadata.Name}"));
            next = page.Metadata.ContinueProperty;
        }
        while (!string.IsNullOrEmpty(next));

        return found;
    }

    private static bool IsOld(V1Pod pod) =>
        pod.Status?.Phase is not ("Succeeded" or "Failed")
        && pod.Spec.Containers.Any(c => (c.Command ?? []).Concat(c.Args ?? []).Any(IsOldProgram));

    // The program's own word, or that of a shell's command line.
    private static bool IsOldProgram(string argument) => argument
        .Split([' ', '\t', '\n', ';', '&'], StringSplitOptions.RemoveEmptyEntries)
        .Any(word => _programs.Contains(word[(word.LastIndexOf('/') + 1)..]));
}
