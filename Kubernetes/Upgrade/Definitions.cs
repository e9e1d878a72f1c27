using System.Globalization;
using k8s;
using k8s.Models;

namespace Carina.Kubernetes.Upgrade;

/// <summary>The CustomResourceDefinitions that this build was made with: those of the chart.</summary>
public static class Definitions
{
    /// <summary>Annotation of a definition: grows with every change of it.</summary>
    public const string RevisionAnnotation = "carina.storage.io/crd-revision";

    private const string Prefix = "crds/";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<V1CustomResourceDefinition> All { get; } =
    [
        .. typeof(Definitions).Assembly.GetManifestResourceNames()
            .Where(n => n.StartsWith(Prefix, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(Read),
    ];

    /// <summary>A definition's revision; 0 for those of Carina.</summary>
    public static long RevisionOf(V1CustomResourceDefinition definition)
    {
        ArgumentNullException.ThrowIfNull(definition);
        return definition.Metadata.Annotations?.TryGetValue(RevisionAnnotation, out var text) == true
            && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var revision)
            ? revision
            : 0;
    }

    private static V1CustomResourceDefinition Read(string name)
    {
        using var reader = new StreamReader(typeof(Definitions).Assembly.GetManifestResourceStream(name)!);
        return KubernetesJson.Deserialize<V1CustomResourceDefinition>(YamlText.ToJson(reader.ReadToEnd()).ToJsonString());
    }
}
