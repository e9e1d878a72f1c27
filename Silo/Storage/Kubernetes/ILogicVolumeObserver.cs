using Carina.Kubernetes.Resources;

namespace Carina.Silo.Storage.Kubernetes;

/// <summary>Sees every change of a LogicVolume, beside the audit. Must be quick and never throw.</summary>
internal interface ILogicVolumeObserver
{
    /// <summary>It is there, perhaps changed.</summary>
    void Saw(LogicVolume item);

    /// <summary>It is gone.</summary>
    void Lost(LogicVolume item);
}
