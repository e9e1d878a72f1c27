using System.Globalization;
using System.Reflection;
using Carina.Grains.Nodes;
using Carina.Grains.Placement;
using Carina.Grains.Tests.Failover.Simulation.Cluster;
using Carina.Grains.Volumes;

namespace Carina.Grains.Tests.Failover.Simulation.Runtime;

/// <summary>Where grains are, as far as silos agree on it.</summary>
internal sealed class SimDirectory
{
    public Dictionary<GrainId, SimActivation> Activations { get; } = [];
}

/// <summary>Grains as one silo reaches them. Between silos that do not reach each other there may be two of one grain.</summary>
internal sealed class SimGrainFactory(SimSilo silo, SimDirectory directory)
{
    private const int MaxRoutes = 8;

    private static readonly TimeSpan _limit = TimeSpan.FromSeconds(30);

    private static readonly Dictionary<Type, (Type Class, string Type)> _classes = new()
    {
        [typeof(IVolumeGrain)] = (typeof(VolumeGrain), "carina-volume"),
        [typeof(INodeGrain)] = (typeof(NodeGrain), "carina-node"),
        [typeof(IPlacementGrain)] = (typeof(PlacementGrain), "carina-placement"),
    };

    private readonly Dictionary<GrainId, SimActivation> _here = [];

    /// <summary>As grains see it.</summary>
    public IGrainFactory Orleans => field ??= Stub.Of<IGrainFactory>(new()
    {
        ["GetGrain"] = (method, arguments) => Get(method.GetGenericArguments()[0], Convert.ToString(arguments[0], CultureInfo.InvariantCulture)!),
    });

    public T Get<T>(string key) => (T)Get(typeof(T), key);

    /// <summary>What the silos' directories do once they agree again: the activation that is not the known one goes.</summary>
    public void EndDuplicates()
    {
        foreach (var (id, activation) in _here.ToList())
        {
            if (directory.Activations.TryGetValue(id, out var known) && known != activation && silo.Sees(known.Silo))
            {
                activation.Close();
            }
        }
    }

    private object Get(Type grain, string key) =>
        GrainProxy.Of(grain, (method, arguments) => CallAsync(grain, key, method, arguments));

    private async Task<object?> CallAsync(Type grain, string key, MethodInfo method, object?[] arguments)
    {
        var (grainClass, type) = _classes[grain];
        var id = GrainId.Create(type, key);
        var cancellation = arguments.OfType<CancellationToken>().FirstOrDefault();
        for (var route = 1; ; route++)
        {
            var target = Locate(id, grainClass);
            try
            {
                return await silo.CallAsync(
                    target.Silo, _limit, stop => target.InvokeAsync(method, [.. arguments.Select(a => a is CancellationToken ? stop : a)]), cancellation);
            }
            catch (ReroutedException) when (route < MaxRoutes)
            {
                // On to the next activation.
            }
        }
    }

    private SimActivation Locate(GrainId id, Type grainClass)
    {
        if (_here.TryGetValue(id, out var here))
        {
            return here;
        }

        if (grainClass == typeof(PlacementGrain))
        {
            return Activate(silo, id, grainClass);
        }

        if (directory.Activations.TryGetValue(id, out var found) && silo.Sees(found.Silo))
        {
            return found;
        }

        var at = grainClass == typeof(NodeGrain) ? silo.Simulator.Pick(silo.View) : silo;
        var made = Activate(at, id, grainClass);
        directory.Activations[id] = made;
        return made;
    }

    private SimActivation Activate(SimSilo at, GrainId id, Type grainClass)
    {
        var there = at.Factory._here;
        if (there.TryGetValue(id, out var found))
        {
            return found;
        }

        var made = new SimActivation(at, id, grainClass)
        {
            Gone = gone =>
            {
                there.Remove(id);
                if (directory.Activations.TryGetValue(id, out var known) && known == gone)
                {
                    directory.Activations.Remove(id);
                }
            },
        };
        there.Add(id, made);
        return made;
    }
}
