using k8s.Models;

namespace Carina.Harness.Kubernetes;

/// <summary>What a test does in kubelet's place; a failure is recorded and the call repeated, as kubelet does.</summary>
public sealed record PodLife
{
    /// <summary>Before a scheduled pod is said to run: where volumes are staged and published.</summary>
    public Func<V1Pod, CancellationToken, Task> BeforeRunning { get; init; } = (_, _) => Task.CompletedTask;

    /// <summary>Before a deleted pod is said to be gone: where volumes are unpublished and unstaged, if they ever were.</summary>
    public Func<V1Pod, CancellationToken, Task> BeforeGone { get; init; } = (_, _) => Task.CompletedTask;
}
