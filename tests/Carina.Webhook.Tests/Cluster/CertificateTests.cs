using System.Security.Cryptography.X509Certificates;
using System.Text;
using Carina.Grains;
using Carina.Harness.Kubernetes;
using Carina.Webhook.Certificates;
using Carina.Webhook.Tests.Certificates;
using Carina.Webhook.Tests.Hosting;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Time.Testing;

namespace Carina.Webhook.Tests.Cluster;

/// <summary>Certificates between replicas, Secret, configuration and a real API server.</summary>
[Collection(PlaneCollection.Name)]
public sealed class CertificateTests(PlaneFixture fixture) : PlaneTest(fixture)
{
    private string Service => $"carina-controller.{Namespace}.svc";

    [Fact]
    public async Task Replicas_that_start_together_agree_on_one_certificate()
    {
        var hosts = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => StartAsync()));
        await CreateConfigurationAsync(hosts[0]);
        foreach (var host in hosts)
        {
            await WaitUntilReadyAsync(host);
        }

        var served = await Task.WhenAll(hosts.Select(h => h.ReadCertificateAsync()));
        var secret = await ReadSecretAsync();
        var kept = CertificateChain.ReadPem(Encoding.ASCII.GetString(secret.Data["tls.crt"]))[0];
        Assert.All(served, certificate => Assert.Equal(kept.Thumbprint, certificate!.Thumbprint));
        Assert.Equal(Authorities(secret), await PublishedAsync());
        Assert.Single(Authorities(secret));
        await CreateClaimAsync("data", ClassName);
        await CreateUntilAsync("the API server to trust it", Pod("data"), p => p.Spec.SchedulerName == CarinaNames.Scheduler);
    }

    [Fact]
    public async Task An_empty_secret_of_the_charts_is_filled()
    {
        await CreateSecretAsync([]);
        var host = await StartAsync();
        await CreateConfigurationAsync(host);
        await WaitUntilReadyAsync(host);
        var secret = await ReadSecretAsync();
        Assert.Equal(["ca", "ca.crt", "ca.key", "cert", "key", "tls.crt", "tls.key"], secret.Data.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_legacy_secret_that_is_valid_is_adopted_untouched()
    {
        var legacy = new LegacySecret(Service, DateTimeOffset.UtcNow, "127.0.0.1");
        var before = await CreateSecretAsync(legacy.Data);
        var host = await StartAsync();
        await CreateConfigurationAsync(host);
        await WaitUntilReadyAsync(host);
        Assert.Equal(legacy.Leaf.Thumbprint, (await host.ReadCertificateAsync())!.Thumbprint);
        Assert.Equal(before.Metadata.ResourceVersion, (await ReadSecretAsync()).Metadata.ResourceVersion);
        await CreateClaimAsync("data", ClassName);
        await CreateUntilAsync("the API server to trust it", Pod("data"), p => p.Spec.SchedulerName == CarinaNames.Scheduler);
    }

    [Theory]
    [InlineData("expired")]
    [InlineData("foreign key")]
    public async Task A_legacy_secret_that_is_no_good_is_replaced(string fault)
    {
        var legacy = new LegacySecret(Service, fault == "expired" ? DateTimeOffset.UtcNow.AddYears(-4) : DateTimeOffset.UtcNow);
        legacy.Data["unrelated"] = [1, 2, 3];
        if (fault == "foreign key")
        {
            legacy.Data["key"] = new LegacySecret(Service, DateTimeOffset.UtcNow).Data["key"];
        }

        await CreateSecretAsync(legacy.Data);
        var host = await StartAsync();
        await CreateConfigurationAsync(host);
        await WaitUntilReadyAsync(host);
        var secret = await ReadSecretAsync();
        Assert.Equal([1, 2, 3], secret.Data["unrelated"]);
        Assert.Equal(secret.Data["tls.crt"], secret.Data["cert"]);
        Assert.NotEqual(legacy.Leaf.Thumbprint, (await host.ReadCertificateAsync())!.Thumbprint);
        await CreateClaimAsync("data", ClassName);
        await CreateUntilAsync("the API server to trust it", Pod("data"), p => p.Spec.SchedulerName == CarinaNames.Scheduler);
    }

    [Fact]
    public async Task A_secret_of_cert_managers_is_read_only_and_reloaded()
    {
        var first = new LegacySecret(Service, DateTimeOffset.UtcNow, "127.0.0.1");
        await CreateSecretAsync(first.Modern(), new() { ["cert-manager.io/certificate-name"] = "carina" });
        var host = await StartAsync();
        await CreateConfigurationAsync(host, new() { ["cert-manager.io/inject-ca-from"] = Namespace + "/carina" });
        await Eventually.ReadAsync("the certificate", host.ReadCertificateAsync, c => c?.Thumbprint == first.Leaf.Thumbprint, Stop);

        // The bundle is the injector's, who has not been here yet.
        Assert.Contains("caBundle", await Eventually.ReadAsync("a reason", () => Task.FromResult(host.Obstacle), o => o.Contains("caBundle", StringComparison.Ordinal), Stop), StringComparison.Ordinal);
        Assert.Empty(await PublishedAsync());
        await InjectAsync(first);
        await WaitUntilReadyAsync(host);

        var second = new LegacySecret(Service, DateTimeOffset.UtcNow, "127.0.0.1");
        var secret = await ReadSecretAsync();
        secret.Data = second.Modern();
        var written = await Admin.CoreV1.ReplaceNamespacedSecretAsync(secret, SecretName, Namespace, cancellationToken: Stop);
        await Eventually.ReadAsync("the new certificate", host.ReadCertificateAsync, c => c?.Thumbprint == second.Leaf.Thumbprint, Stop);
        Assert.Equal(written.Metadata.ResourceVersion, (await ReadSecretAsync()).Metadata.ResourceVersion);
    }

    [Fact]
    public async Task A_secret_that_expired_in_cert_managers_hands_is_not_written()
    {
        var before = await CreateSecretAsync(
            new LegacySecret(Service, DateTimeOffset.UtcNow.AddYears(-4)).Modern(), new() { ["cert-manager.io/issuer-name"] = "ca" });
        var host = await StartAsync();
        await CreateConfigurationAsync(host);
        await Eventually.ReadAsync(
            "a reason", () => Task.FromResult(host.Obstacle), o => o.Contains("valid from", StringComparison.Ordinal), Stop);
        Assert.Equal(before.Metadata.ResourceVersion, (await ReadSecretAsync()).Metadata.ResourceVersion);
    }

    [Fact]
    public async Task A_bundle_that_somebody_overwrites_is_put_right()
    {
        var host = await StartAsync();
        await CreateConfigurationAsync(host);
        await WaitUntilReadyAsync(host);
        var right = await PublishedAsync();
        await InjectAsync(new LegacySecret(Service, DateTimeOffset.UtcNow));
        await Eventually.ReadAsync("the bundle", PublishedAsync, p => p.SequenceEqual(right), Stop);
    }

    /// <summary>
    /// The whole change of authority, with two replicas and requests all the time. The replicas' clock starts most of a
    /// year back, so that what they make is valid for the API server, whose clock is right.
    /// </summary>
    [Fact]
    public async Task Authority_and_certificate_change_while_requests_flow()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow.AddDays(-300));
        var settle = TimeSpan.FromMinutes(5);
        WebhookHost[] hosts = [await StartAsync(o => o.AuthorityLifetime = TimeSpan.FromDays(365), time), await StartAsync(o => o.AuthorityLifetime = TimeSpan.FromDays(365), time)];
        await CreateConfigurationAsync(hosts[0]);
        foreach (var host in hosts)
        {
            await WaitUntilReadyAsync(host, () => time.Advance(TimeSpan.FromSeconds(1)));
        }

        await CreateClaimAsync("data", ClassName);
        await CreateUntilAsync("the API server to call the webhook", Pod("data"), p => p.Spec.SchedulerName == CarinaNames.Scheduler);
        var old = Assert.Single(await PublishedAsync());
        var first = (await hosts[0].ReadCertificateAsync())!.Thumbprint;

        using var end = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var requests = CreatePodsAsync(end.Token);

        // Two thirds of the authority's life are over: the new one is published, nothing else changes.
        time.Advance(TimeSpan.FromDays(245));
        var both = await Eventually.ReadAsync("both authorities", PublishedAsync, p => p.Count == 2, Stop);
        Assert.Contains(old, both);
        Assert.Equal(first, (await hosts[0].ReadCertificateAsync())!.Thumbprint);

        time.Advance(settle);
        foreach (var host in hosts)
        {
            await Eventually.ReadAsync("the new certificate", host.ReadCertificateAsync, c => c is not null && c.Thumbprint != first, Stop);
        }

        Assert.Equal(2, (await PublishedAsync()).Count);
        time.Advance(settle);
        var last = await Eventually.ReadAsync("the new authority alone", PublishedAsync, p => p.Count == 1, Stop);
        Assert.NotEqual(old, last[0]);
        await Task.Delay(TimeSpan.FromSeconds(2), Stop);
        await end.CancelAsync();
        var (made, missed) = await requests;
        Assert.Equal(0, missed);
        Assert.True(made > 20, $"Only {made} pods were made; that is no flow.");
        Assert.All(hosts, host => Assert.Equal("", host.Obstacle));
    }

    private async Task<(int Made, int Missed)> CreatePodsAsync(CancellationToken end)
    {
        var (made, missed) = (0, 0);
        while (!end.IsCancellationRequested)
        {
            var pod = await Admin.CoreV1.CreateNamespacedPodAsync(Pod("data"), Namespace, dryRun: "All", cancellationToken: Stop);
            made++;
            missed += pod.Spec.SchedulerName == CarinaNames.Scheduler ? 0 : 1;
            await Task.Delay(20, CancellationToken.None);
        }

        return (made, missed);
    }

    private Task<V1Secret> CreateSecretAsync(Dictionary<string, byte[]> data, Dictionary<string, string>? annotations = null) =>
        Admin.CoreV1.CreateNamespacedSecretAsync(
            new() { Metadata = new() { Name = SecretName, Annotations = annotations }, Data = data }, Namespace, cancellationToken: Stop);

    private Task<V1Secret> ReadSecretAsync() =>
        Admin.CoreV1.ReadNamespacedSecretAsync(SecretName, Namespace, cancellationToken: Stop);

    private static List<string> Authorities(V1Secret secret) => Thumbprints(secret.Data["ca.crt"]);

    private async Task<List<string>> PublishedAsync()
    {
        var configuration = await Admin.AdmissionregistrationV1.ReadMutatingWebhookConfigurationAsync(Namespace, cancellationToken: Stop);
        return Thumbprints(configuration.Webhooks[0].ClientConfig.CaBundle ?? []);
    }

    private async Task InjectAsync(LegacySecret from)
    {
        var configuration = await Admin.AdmissionregistrationV1.ReadMutatingWebhookConfigurationAsync(Namespace, cancellationToken: Stop);
        configuration.Webhooks[0].ClientConfig.CaBundle = from.Data["ca"];
        await Admin.AdmissionregistrationV1.ReplaceMutatingWebhookConfigurationAsync(configuration, Namespace, cancellationToken: Stop);
    }

    private static List<string> Thumbprints(byte[] pem) =>
        [.. CertificateChain.ReadPem(Encoding.ASCII.GetString(pem)).Select((X509Certificate2 c) => c.Thumbprint)];
}
