using Carina.Kubernetes.Client;
using Carina.Kubernetes.Watching;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Messaging;

namespace Carina.Silo.Membership.Kubernetes;

/// <summary>
/// The gateways of a cluster for Orleans clients: active silos that have a port for them. Asking costs no request, since
/// a watch keeps the answer current; while the API server is away the last answer stands.
/// </summary>
internal sealed class KubernetesGateways(
    IResourceCache<OrleansMembership> cache,
    IMembershipDocuments documents,
    IOptions<ClusterOptions> cluster,
    IOptions<KubernetesOptions> kubernetes,
    IOptions<GatewayOptions> gateways) : IGatewayListProvider
{
    public TimeSpan MaxStaleness => gateways.Value.GatewayListRefreshPeriod;

    public bool IsUpdatable => true;

    public Task InitializeGatewayListProviderAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

    public async Task<IList<Uri>> GetGatewaysAsync(CancellationToken cancellationToken = default) =>
        [.. ToGateways(await RowsAsync(cancellationToken))];

    Task IGatewayListProvider.InitializeGatewayListProvider() => InitializeGatewayListProviderAsync();

    Task<IList<Uri>> IGatewayListProvider.GetGateways() => GetGatewaysAsync();

    private async Task<IReadOnlyDictionary<string, MembershipRow>> RowsAsync(CancellationToken cancellationToken)
    {
        // The host may start the client before the watch, and wait for the client.
        if (!cache.Synced.IsCompleted)
        {
            return (await documents.ReadAsync(cluster.Value.ClusterId, cancellationToken)).Document.Rows;
        }

        var known = cache.Find(kubernetes.Value.Namespace, cluster.Value.ClusterId);
        return known?.Spec.Rows ?? new Dictionary<string, MembershipRow>();
    }

    private static IEnumerable<Uri> ToGateways(IReadOnlyDictionary<string, MembershipRow> rows)
    {
        foreach (var (address, row) in rows)
        {
            if (row.Status == nameof(SiloStatus.Active) && row.ProxyPort != 0)
            {
                var silo = SiloAddress.FromParsableString(address);
                yield return SiloAddress.New(silo.Endpoint.Address, row.ProxyPort, silo.Generation).ToGatewayUri();
            }
        }
    }
}
