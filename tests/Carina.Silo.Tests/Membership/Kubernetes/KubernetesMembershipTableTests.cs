using k8s;

namespace Carina.Silo.Tests.Membership.Kubernetes;

/// <summary>The membership table in a real API server, as a silo with a silo's rights sees it.</summary>
[Collection(MembershipApiCollection.Name)]
public sealed class KubernetesMembershipTableTests(MembershipApi api) : MembershipTableKit, IDisposable
{
    private readonly IKubernetes _client = api.Client();

    protected override IMembershipTable NewTable(string cluster) => api.Table(_client, cluster);

    protected override IMembershipTable NewAdministrativeTable(string cluster) => api.Table(api.Plane.Admin, cluster);

    public void Dispose() => _client.Dispose();
}
