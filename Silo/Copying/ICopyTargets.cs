using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Agents;
using Orleans.Runtime.Services;

namespace Carina.Silo.Copying;

/// <summary>The agents of other nodes, which take in what is copied.</summary>
internal interface ICopyTargets
{
    /// <summary>The agent of a node.</summary>
    /// <exception cref="StorageException">Unavailable when it is not a living member of the cluster.</exception>
    INodeAgent Find(string node);
}

/// <summary><see cref="ICopyTargets"/> by Orleans.</summary>
internal sealed class OrleansCopyTargets(IServiceProvider services, NodeDirectory directory)
    : GrainServiceClient<INodeAgent>(services), ICopyTargets
{
    public INodeAgent Find(string node) => directory.FindAgent(node) is { } address
        ? GetGrainService(address)
        : throw new StorageException(StorageErrorCode.Unavailable, $"The agent of node '{node}', which data is to be copied to, does not answer.");
}
