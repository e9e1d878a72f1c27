using Carina.Grains;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Nodes;

/// <summary>Labels from the command line, where there is no Kubernetes to ask. They never change.</summary>
internal sealed class ConfiguredNodeLabels(IOptions<SiloOptions> options) : INodeLabels
{
    private readonly IReadOnlyDictionary<string, string> _labels = Read(options.Value);

    public Task<IReadOnlyDictionary<string, string>> GetAsync(CancellationToken cancellationToken) =>
        Task.FromResult(_labels);

    public IDisposable OnChange(Action callback) => new Nothing();

    private static Dictionary<string, string> Read(SiloOptions options)
    {
        var labels = options.Labels.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(l => l.Split('=', 2))
            .ToDictionary(l => l[0], l => l.Length > 1 ? l[1] : "", StringComparer.Ordinal);
        labels[CarinaNames.TopologyKey] = options.NodeName;
        labels.TryAdd("kubernetes.io/hostname", options.NodeName);
        return labels;
    }

    private sealed class Nothing : IDisposable
    {
        public void Dispose()
        {
        }
    }
}
