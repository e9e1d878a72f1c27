using Carina.Harness.Kubernetes;

namespace Carina.Silo.Tests.PodFitting;

/// <summary>A real scheduler. There is no controller manager: nobody but the tests changes nodes.</summary>
public sealed class SchedulerFixture : IAsyncLifetime
{
    private ControlPlane? _plane;

    public ControlPlane Plane => _plane ?? throw new InvalidOperationException("The control plane is not started.");

    public async ValueTask InitializeAsync() =>
        _plane = await ControlPlane.StartAsync(new() { Scheduler = true }, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (_plane is not null)
        {
            Assert.Empty(await _plane.RemoveAsync());
        }
    }
}
