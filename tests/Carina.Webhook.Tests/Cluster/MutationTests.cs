using Carina.Grains;
using Carina.Harness.Kubernetes;
using k8s;
using k8s.Models;

namespace Carina.Webhook.Tests.Cluster;

/// <summary>Pods that are created in a real cluster whose API server calls the webhook.</summary>
[Collection(PlaneCollection.Name)]
public sealed class MutationTests(PlaneFixture fixture) : PlaneTest(fixture)
{
    [Theory]
    [InlineData("v1")]
    [InlineData("v1beta1")]
    public async Task A_pod_made_with_kubectl_gets_scheduler_and_failover_switch(string version)
    {
        var host = await StartAsync();
        await CreateConfigurationAsync(host, versions: [version]);
        await WaitUntilReadyAsync(host);
        await CreateClaimAsync("data", ClassName);
        await CreateUntilAsync("the API server to call the webhook", Pod("data"), p => p.Spec.SchedulerName == CarinaNames.Scheduler);

        var file = Path.Combine(Path.GetTempPath(), Namespace + ".yaml");
        try
        {
            await File.WriteAllTextAsync(
                file,
                $$"""
                apiVersion: v1
                kind: Pod
                metadata:
                  name: mysql
                  namespace: {{Namespace}}
                  annotations:
                    team: a
                spec:
                  automountServiceAccountToken: false
                  containers:
                    - name: mysql
                      image: mysql:8
                      volumeMounts: [{ name: data, mountPath: /var/lib/mysql }]
                  volumes:
                    - name: data
                      persistentVolumeClaim: { claimName: data }
                """,
                Stop);
            Assert.Equal("", await DryRunAsync(file));
            await Plane.ApplyAsync(file);
            var pod = await Admin.CoreV1.ReadNamespacedPodAsync("mysql", Namespace, cancellationToken: Stop);
            Assert.Equal(CarinaNames.Scheduler, pod.Spec.SchedulerName);
            Assert.Equal(("true", "a"), (pod.GetAnnotation(CarinaNames.AllowMigration), pod.GetAnnotation("team")));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Other_pods_are_made_as_they_are()
    {
        var host = await StartAsync();
        await CreateConfigurationAsync(host);
        await WaitUntilReadyAsync(host);
        await CreateClassAsync("other-" + Namespace, "other.example.com");
        try
        {
            await CreateClaimAsync("data", ClassName);
            await CreateClaimAsync("foreign", "other-" + Namespace);
            await CreateUntilAsync("the API server to call the webhook", Pod("data"), p => p.Spec.SchedulerName == CarinaNames.Scheduler);
            foreach (var claim in new[] { null, "foreign", "does-not-exist" })
            {
                var pod = await CreateAsync(Pod(claim));
                Assert.Equal(("default-scheduler", null), (pod.Spec.SchedulerName, pod.GetAnnotation(CarinaNames.AllowMigration)));
            }

            var optedOut = Pod("data");
            optedOut.Metadata.Annotations = new Dictionary<string, string> { [CarinaNames.CustomScheduler] = "" };
            Assert.Equal("default-scheduler", (await CreateAsync(optedOut)).Spec.SchedulerName);

            var chosen = Pod("data");
            chosen.Spec.SchedulerName = "volcano";
            Assert.Equal("volcano", (await CreateAsync(chosen)).Spec.SchedulerName);

            // Our configuration here has no selector for the label, as if somebody had edited it away.
            await Plane.KubectlAsync("label", "namespace", Namespace, "carina.storage.io/webhook=ignore");
            await CreateUntilAsync("the label to count", Pod("data"), p => p.Spec.SchedulerName == "default-scheduler");
        }
        finally
        {
            await Admin.StorageV1.DeleteStorageClassAsync("other-" + Namespace, cancellationToken: CancellationToken.None);
        }
    }

    [Fact]
    public async Task A_claim_made_a_moment_ago_is_known()
    {
        var host = await StartAsync();
        await CreateConfigurationAsync(host);
        await WaitUntilReadyAsync(host);
        await CreateClaimAsync("data", ClassName);
        await CreateUntilAsync("the API server to call the webhook", Pod("data"), p => p.Spec.SchedulerName == CarinaNames.Scheduler);
        for (var i = 0; i < 20; i++)
        {
            await CreateClaimAsync("data-" + i, ClassName);
            Assert.Equal(CarinaNames.Scheduler, (await CreateAsync(Pod("data-" + i))).Spec.SchedulerName);
        }
    }

    [Fact]
    public async Task A_pod_of_a_stateful_set_is_known_before_its_claim_is_made()
    {
        var host = await StartAsync();
        await CreateConfigurationAsync(host);
        await WaitUntilReadyAsync(host);
        var set = await Admin.AppsV1.CreateNamespacedStatefulSetAsync(
            new()
            {
                Metadata = new() { Name = "mysql" },
                Spec = new()
                {
                    ServiceName = "mysql",
                    Selector = new() { MatchLabels = new Dictionary<string, string> { ["app"] = "mysql" } },
                    Template = new()
                    {
                        Metadata = new() { Labels = new Dictionary<string, string> { ["app"] = "mysql" } },
                        Spec = Pod(null).Spec,
                    },
                    VolumeClaimTemplates = [new() { Metadata = new() { Name = "data" }, Spec = Claim(ClassName) }],
                },
            },
            Namespace,
            cancellationToken: Stop);
        var number = 0;
        var pod = await Eventually.ReadAsync(
            "the API server to call the webhook",
            () =>
            {
                var name = $"mysql-{number++}";
                var one = Pod("data-" + name);
                one.Metadata = new()
                {
                    Name = name,
                    OwnerReferences =
                    [
                        new() { ApiVersion = "apps/v1", Kind = "StatefulSet", Name = "mysql", Uid = set.Metadata.Uid, Controller = true },
                    ],
                };
                return CreateAsync(one);
            },
            p => p.Spec.SchedulerName == CarinaNames.Scheduler,
            Stop);
        Assert.Equal("true", pod.GetAnnotation(CarinaNames.AllowMigration));
    }

    [Fact]
    public async Task An_ephemeral_volume_counts()
    {
        var host = await StartAsync();
        await CreateConfigurationAsync(host);
        await WaitUntilReadyAsync(host);
        var pod = Pod(null);
        pod.Spec.Volumes = [new() { Name = "tmp", Ephemeral = new() { VolumeClaimTemplate = new() { Spec = Claim(ClassName) } } }];
        await CreateUntilAsync("the API server to call the webhook", pod, p => p.Spec.SchedulerName == CarinaNames.Scheduler);
    }

    [Fact]
    public async Task Pods_are_made_while_the_webhook_is_down_and_mutated_when_it_is_back()
    {
        var port = 0;
        var host = await StartAsync();
        port = host.Webhook.Port;
        await CreateConfigurationAsync(host);
        await WaitUntilReadyAsync(host);
        await CreateClaimAsync("data", ClassName);
        await CreateUntilAsync("the API server to call the webhook", Pod("data"), p => p.Spec.SchedulerName == CarinaNames.Scheduler);

        await StopAsync(host);
        Assert.Equal("default-scheduler", (await CreateAsync(Pod("data"))).Spec.SchedulerName);

        host = await StartAsync(port: port);
        await WaitUntilReadyAsync(host);
        await CreateUntilAsync("the webhook to be back", Pod("data"), p => p.Spec.SchedulerName == CarinaNames.Scheduler);
    }

    private Task<V1Pod> CreateAsync(V1Pod pod) => Admin.CoreV1.CreateNamespacedPodAsync(pod, Namespace, cancellationToken: Stop);

    // A hook with side effects would be refused here.
    private async Task<string> DryRunAsync(string file)
    {
        await Plane.KubectlAsync("apply", "--dry-run=server", "--filename", file);
        return await Plane.KubectlAsync("get", "pod", "mysql", "--namespace", Namespace, "--ignore-not-found", "--output=name");
    }
}
