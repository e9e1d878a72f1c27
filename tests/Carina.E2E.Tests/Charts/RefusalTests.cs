namespace Carina.E2E.Tests.Charts;

/// <summary>Values that mean nothing are refused before anything is made, with their name.</summary>
public sealed class RefusalTests
{
    public static TheoryData<string, string> Nonsense => new()
    {
        { "nonsense=1", "nonsense" },
        { "node.tolerate=all", "tolerate" },
        { "controller.replicas=two", "/controller/replicas" },
        { "controller.replicas=-1", "/controller/replicas" },
        { "controller.runAsUser=0", "/controller/runAsUser" },
        { "controller.antiAffinity=maybe", "/controller/antiAffinity" },
        { "node.kubelet=kubelet", "/node/kubelet" },
        { "node.metricsPort=70000", "/node/metricsPort" },
        { "node.maxUnavailable=half", "/node/maxUnavailable" },
        { "node.initContainer.modprobe[0]=dm_mirror; reboot", "/node/initContainer/modprobe" },
        { "driver.name=csi.example", "/driver/name" },
        { "image.carina.tag=a b", "/image/carina/tag" },
        { "image.carina.pullPolicy=Sometimes", "/image/carina/pullPolicy" },
        { "config.schedulerStrategy=fastest", "/config/schedulerStrategy" },
        { "config.diskSelector[0].name=../etc", "/config/diskSelector" },
        { "config.diskSelector[0].policy=ZFS", "/config/diskSelector" },
        { "config.diskScanInterval=-5", "/config/diskScanInterval" },
        { "storage.StorageClass[0].fstype=ntfs", "/storage/StorageClass/0" },
        { "storage.StorageClass[0].reclaimPolicy=Recycle", "/storage/StorageClass/0" },
        { "webhook.timeoutSeconds=31", "/webhook/timeoutSeconds" },
        { "webhook.failurePolicy=Fail", "failurePolicy" },
        { "carina-scheduler.replicas=2", "replicas" },
        { "serviceMonitor.interval=often", "/serviceMonitor/interval" },
    };

    [Theory]
    [MemberData(nameof(Nonsense))]
    public async Task Nonsense_is_refused(string value, string named) => Assert.Contains(
        named,
        await Chart.RefusalAsync(TestContext.Current.CancellationToken, "--set", value),
        StringComparison.Ordinal);

    [Fact]
    public async Task Two_classes_of_one_name_are_refused() => Assert.Contains(
        "two classes of the name carina-vg-ssd",
        await Chart.RefusalAsync(TestContext.Current.CancellationToken, "--set", "storage.defaultClass.name=carina-vg-ssd"),
        StringComparison.Ordinal);
}
