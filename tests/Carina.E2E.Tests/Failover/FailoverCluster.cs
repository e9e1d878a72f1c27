using Carina.Harness.Failover;

namespace Carina.E2E.Tests.Failover;

/// <summary>The laboratory as tests share it; each leaves it whole.</summary>
public sealed class FailoverCluster() : FailoverLab(() => TestContext.Current.CancellationToken), IAsyncLifetime
{
    public async ValueTask InitializeAsync() => await StartAsync();
}

/// <summary>Tests that share the cluster.</summary>
[CollectionDefinition(Name)]
public sealed class FailoverCollection : ICollectionFixture<FailoverCluster>
{
    public const string Name = "failover";
}
