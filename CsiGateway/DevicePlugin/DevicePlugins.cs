using Carina.CsiGateway.Transport.Sockets;
using Carina.Grains;
using Carina.Grains.Nodes;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Carina.CsiGateway.DevicePlugin;

/// <summary>
/// Shows what this node's groups have in the Node object's capacity and allocatable, in GiB, as Carina up to 0.9.1 did. A
/// kubelet overwrites what others write there, so it is told by its own protocol, which needs no rights in the API either.
/// </summary>
internal sealed partial class DevicePlugins(
    IGrainFactory grains,
    IOptions<DevicePluginOptions> options,
    TimeProvider time,
    ILoggerFactory loggers,
    ILogger<DevicePlugins> logger) : BackgroundService
{
    private readonly Dictionary<string, DevicePluginServer> _servers = new(StringComparer.Ordinal);
    private readonly DevicePluginOptions _options = options.Value;
    private bool _missed;

    private string KubeletSocket => Path.Combine(_options.Directory, "kubelet.sock");

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(_options.Interval, time);
        try
        {
            do
            {
                if (await ReadAsync(stoppingToken).ConfigureAwait(false) is { } capacity)
                {
                    await OfferAsync(capacity, stoppingToken).ConfigureAwait(false);
                }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
        }
        finally
        {
            foreach (var group in _servers.Keys.ToList())
            {
                await WithdrawAsync(group).ConfigureAwait(false);
            }
        }
    }

    private async Task<NodeCapacity?> ReadAsync(CancellationToken stopping)
    {
        try
        {
            return await grains.GetGrain<INodeGrain>(_options.NodeName).GetCapacityAsync(stopping).ConfigureAwait(false);
        }
        catch (Exception exception) when (!stopping.IsCancellationRequested)
        {
            LogUnknown(_options.NodeName, exception.Message);
            return null;
        }
    }

    private async Task OfferAsync(NodeCapacity capacity, CancellationToken stopping)
    {
        foreach (var gone in _servers.Keys.Except(capacity.Pools.Select(p => p.Name), StringComparer.Ordinal).ToList())
        {
            await WithdrawAsync(gone).ConfigureAwait(false);
        }

        var kubelet = FileIdentity.Of(KubeletSocket);
        if (kubelet is null)
        {
            if (!_missed)
            {
                LogNoKubelet(KubeletSocket);
            }

            _missed = true;
            return;
        }

        _missed = false;
        foreach (var pool in capacity.Pools)
        {
            try
            {
                await OfferAsync(pool, kubelet.Value, stopping).ConfigureAwait(false);
            }
            catch (Exception exception) when (!stopping.IsCancellationRequested)
            {
                LogNotOffered(pool.Name, exception.Message);
            }
        }
    }

    private async Task OfferAsync(PoolCapacity pool, FileIdentity kubelet, CancellationToken stopping)
    {
        var devices = _servers.GetValueOrDefault(pool.Name)?.Devices ?? new GroupDevices();
        devices.Show(pool.SizeBytes, pool.AvailableBytes);
        if (_servers.TryGetValue(pool.Name, out var server) && !server.IsInPlace())
        {
            await WithdrawAsync(pool.Name).ConfigureAwait(false);
            server = null;
        }

        if (server is null)
        {
            var socket = Path.Combine(_options.Directory, $"carina-{pool.Name}.sock");
            server = await DevicePluginServer.StartAsync(
                socket, CarinaNames.Driver + "/" + pool.Name, devices, time, loggers, stopping).ConfigureAwait(false);
            _servers.Add(pool.Name, server);
        }

        if (server.RegisteredWith != kubelet)
        {
            await server.RegisterAsync(KubeletSocket, stopping).ConfigureAwait(false);
            LogRegistered(server.Resource, server.Path);
        }
    }

    private async Task WithdrawAsync(string group)
    {
        if (_servers.Remove(group, out var server))
        {
            await server.DisposeAsync().ConfigureAwait(false);
        }
    }
}
