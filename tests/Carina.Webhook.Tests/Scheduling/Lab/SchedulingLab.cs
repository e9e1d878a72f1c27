using Carina.Grains.Configuration;
using Carina.Harness.Kubernetes;
using Carina.Harness.Processes;
using k8s;

namespace Carina.Webhook.Tests.Scheduling.Lab;

/// <summary>
/// A control plane with two schedulers, the default one and carina-scheduler with our extender, the real ledgers, and a
/// provisioner that makes what they promise.
/// </summary>
public sealed class SchedulingLab : IAsyncLifetime
{
    private ControlPlane? _plane;
    private StorageCluster? _storage;
    private ExtenderHost? _extender;
    private SiloProcess? _scheduler;
    private TestProvisioner? _provisioner;

    public ControlPlane Plane => _plane!;

    public IKubernetes Admin => Plane.Admin;

    internal StorageCluster Storage => _storage!;

    internal TestProvisioner Provisioner => _provisioner!;

    internal SiloProcess Scheduler => _scheduler!;

    internal Uri Extender => _extender!.Address;

    public async ValueTask InitializeAsync()
    {
        var stop = TestContext.Current.CancellationToken;
        _plane = await ControlPlane.StartAsync(
            new()
            {
                Users = [new(CarinaScheduler.Name), new(ExtenderHost.User)],
                ControllerManager = true,
                Scheduler = true,
            },
            stop);
        await _plane.ApplyAsync(CarinaScheduler.PathOf("extender-roles.yaml"));
        _storage = await StorageCluster.StartAsync();
        _extender = await ExtenderHost.StartAsync(_plane, _storage, 0);
        _provisioner = new(_plane.Admin, _storage);
        _scheduler = await CarinaScheduler.StartAsync(_plane, _extender.Address, stop);
    }

    public async ValueTask DisposeAsync()
    {
        if (_scheduler is not null)
        {
            await _scheduler.DisposeAsync();
        }

        if (_provisioner is not null)
        {
            await _provisioner.DisposeAsync();
        }

        if (_extender is not null)
        {
            await _extender.DisposeAsync();
        }

        if (_storage is not null)
        {
            await _storage.DisposeAsync();
        }

        if (_plane is not null)
        {
            Assert.Empty(await _plane.RemoveAsync());
        }
    }

    /// <summary>The extender is away until <see cref="StartExtenderAsync"/>; returns the port to come back at.</summary>
    public async Task<int> StopExtenderAsync()
    {
        var port = Extender.Port;
        await _extender!.DisposeAsync();
        _extender = null;
        return port;
    }

    public async Task StartExtenderAsync(int port) => _extender = await ExtenderHost.StartAsync(Plane, Storage, port);

    internal void UseStrategy(SchedulerStrategy strategy) => Storage.Config.Strategy = strategy;
}

/// <summary>Tests that share the laboratory.</summary>
[CollectionDefinition(Name)]
public sealed class SchedulingCollection : ICollectionFixture<SchedulingLab>
{
    public const string Name = "scheduling";
}
