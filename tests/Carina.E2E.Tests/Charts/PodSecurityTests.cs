using k8s.Models;

namespace Carina.E2E.Tests.Charts;

/// <summary>Which container may do what on its host.</summary>
public sealed class PodSecurityTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static TheoryData<string> ValueSets => [.. Chart.ValueSets];

    [Theory]
    [MemberData(nameof(ValueSets))]
    public async Task Only_the_driver_and_its_guard_on_the_node_are_privileged(string set)
    {
        var objects = await Chart.RenderAsync(set, "1.30.14", Stop);
        foreach (var (_, pod) in objects.Pods)
        {
            Assert.Equal("RuntimeDefault", pod.SecurityContext.SeccompProfile.Type);
            foreach (var container in pod.Containers.Concat(pod.InitContainers ?? []))
            {
                var context = container.SecurityContext;
                Assert.True(context.ReadOnlyRootFilesystem, container.Name);
                if (container.Name is "csi-carina-node" or "carina-guard")
                {
                    Assert.True(context.Privileged);
                    continue;
                }

                Assert.NotEqual(true, context.Privileged);
                Assert.False(context.AllowPrivilegeEscalation, container.Name);
                Assert.Equal(["ALL"], context.Capabilities.Drop);
                Assert.Equal(container.Name == "modprobe" ? ["SYS_MODULE"] : [], context.Capabilities.Add ?? []);
            }
        }
    }

    [Theory]
    [MemberData(nameof(ValueSets))]
    public async Task Only_the_node_runs_as_root_and_sees_the_host(string set)
    {
        var objects = await Chart.RenderAsync(set, "1.30.14", Stop);
        foreach (var (name, pod) in objects.Pods.Where(p => p.Name != "csi-carina-node"))
        {
            Assert.True(pod.SecurityContext.RunAsNonRoot, name);
            Assert.True(pod.SecurityContext.RunAsUser > 0, name);
            Assert.DoesNotContain(pod.Volumes, v => v.HostPath is not null);
            Assert.NotEqual(true, pod.HostIPC);
            Assert.NotEqual(true, pod.HostPID);
        }

        // Processes that have mapped a bare device have to be seen to be ended (DeviceHolders).
        Assert.True(objects.Node.Spec.Template.Spec.HostPID);
    }

    [Fact]
    public async Task The_node_sees_what_it_needs_of_its_host()
    {
        var node = (await Chart.RenderAsync("", "1.30.14", Stop)).Node.Spec.Template.Spec;
        var silo = node.Containers.Single(c => c.Name == "csi-carina-node");
        var seen = node.Volumes.Where(v => v.HostPath is not null).ToDictionary(v => v.Name, v => v.HostPath.Path);
        var mounts = silo.VolumeMounts.Where(m => seen.ContainsKey(m.Name)).ToDictionary(m => m.MountPath);
        Assert.Equal(
            [
                "/csi", "/dev", "/lib/modules", "/registration", "/run/lock/lvm", "/run/lvm", "/run/udev", "/sys", "/var/lib/carina",
                "/var/lib/kubelet/device-plugins", "/var/lib/kubelet/plugins", "/var/lib/kubelet/pods",
            ],
            mounts.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("/var/lib/kubelet/plugins/carina.storage.io", seen[mounts["/csi"].Name]);
        Assert.Equal("/var/lib/kubelet/plugins_registry", seen[mounts["/registration"].Name]);

        // What is mounted for a pod must appear in the pod, and only there have we a say.
        Assert.Equal(
            ["/var/lib/kubelet/plugins", "/var/lib/kubelet/pods"],
            mounts.Values.Where(m => m.MountPropagation == "Bidirectional").Select(m => m.MountPath).Order(StringComparer.Ordinal));
        Assert.True(mounts["/lib/modules"].ReadOnlyProperty);

        // The guard cuts off what the driver has mounted, so it sees the same, but serves nobody.
        var guard = node.Containers.Single(c => c.Name == "carina-guard");
        Assert.Equal("guard", guard.Args[0]);
        Assert.Equal(
            silo.VolumeMounts.Select(m => (m.Name, m.MountPath, m.MountPropagation)).Where(m => m.MountPath is not ("/csi" or "/registration") && m.Name != "config"),
            guard.VolumeMounts.Select(m => (m.Name, m.MountPath, m.MountPropagation)));
        Assert.Equal("/run/carina", guard.VolumeMounts.Single(m => m.Name == "run").MountPath);

        // LVM and the host's udev share semaphores, or wait for each other for ever.
        Assert.True(node.HostIPC);
        var apart = (await Chart.RenderAsync("", "1.30.14", Stop, "--set", "node.udev=false")).Node.Spec.Template.Spec;
        Assert.False(apart.HostIPC);
        Assert.DoesNotContain(apart.Volumes, v => v.HostPath?.Path == "/run/udev");
    }

    [Theory]
    [InlineData("csi-carina-node")]
    [InlineData("csi-carina-controller")]
    public async Task The_driver_is_told_who_it_is(string container)
    {
        var silo = (await Chart.RenderAsync("", "1.30.14", Stop)).Container(container);
        Assert.Equal(
            new Dictionary<string, string>
            {
                ["NODE_NAME"] = "spec.nodeName",
                ["POD_NAME"] = "metadata.name",
                ["POD_UID"] = "metadata.uid",
                ["POD_NAMESPACE"] = "metadata.namespace",
                ["POD_IP"] = "status.podIP",
            },
            silo.Env.Where(e => e.ValueFrom is not null).ToDictionary(e => e.Name, e => e.ValueFrom.FieldRef.FieldPath));
        Assert.Superset(
            new HashSet<string> { "--store=kubernetes", "--address=$(POD_IP)", "--port=11111", "--http-port=8080" },
            silo.Args.ToHashSet());
        Assert.Equal("/healthz", silo.LivenessProbe.HttpGet.Path);
        Assert.Equal("/readyz", silo.ReadinessProbe.HttpGet.Path);
        Assert.NotNull(silo.StartupProbe);
    }
}
