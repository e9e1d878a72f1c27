using Carina.Webhook.Tests.Scheduling.Lab;
using k8s;
using k8s.Models;

namespace Carina.Webhook.Tests.Scheduling;

/// <summary>Without the extender nobody knows where volumes fit, so pods wait; when it is back they go on by themselves.</summary>
[Collection(SchedulingCollection.Name)]
public sealed class ExtenderOutageTests(SchedulingLab lab) : SchedulingTest(lab)
{
    [Fact]
    public async Task Pods_wait_while_the_extender_is_away()
    {
        var node = await AddNodeAsync("1", ("carina-vg-ssd", 15));
        var port = await Lab.StopExtenderAsync();
        try
        {
            await AddPodWithClaimAsync("waiting", "10Gi");
            var pod = await WaitForRefusalAsync("waiting", $"127.0.0.1:{port}", "connection refused");
            Assert.Null(pod.Spec.NodeName);
        }
        finally
        {
            await Lab.StartExtenderAsync(port);
        }

        Assert.Equal(node, await WaitForRunningAsync("waiting"));
        var claim = await Admin.CoreV1.ReadNamespacedPersistentVolumeClaimAsync("waiting", Namespace, cancellationToken: Stop);
        Assert.Equal(node, claim.GetAnnotation("volume.kubernetes.io/selected-node"));
    }
}
