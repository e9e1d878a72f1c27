using Carina.Grains.Agents;
using Carina.Grains.Events;
using Carina.Grains.Nodes;
using Carina.Grains.Volumes;
using Carina.Silo.Copying;
using Carina.Silo.Fencing;
using Carina.Silo.Fencing.Leases;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Carina.Silo.Agents;

/// <summary>Registers the agent and what finds it.</summary>
internal static class AgentExtensions
{
    public static void AddNodeAgent(this ISiloBuilder silo)
    {
        silo.AddGrainService<NodeAgent>();
        silo.Services.TryAddSingleton<ICrashPoints, NoCrashPoints>();
        silo.Services.TryAddSingleton<IVolumeEvents, LoggedVolumeEvents>();
        silo.Services.TryAddSingleton<INodeLeases, NoNodeLeases>();
        silo.Services.AddSingleton<DiskAgent>();
        silo.Services.AddSingleton<ICommandsUnderWay>(s => s.GetRequiredService<DiskAgent>());
        silo.Services.AddSingleton<ICopyTargets, OrleansCopyTargets>();
        silo.Services.AddSingleton<CopyWriter>();
        silo.Services.AddSingleton<VolumeCopier>();
        silo.Services.AddSingleton<NodeDirectory>();
        silo.Services.AddSingleton<INodeDirectory>(s => s.GetRequiredService<NodeDirectory>());
        silo.Services.AddSingleton<INodeExecutor, NodeExecutor>();
    }
}
