using Carina.Silo.Fencing.Leases;

namespace Carina.Silo.Tests.Fencing.Leases;

/// <summary>Which volume a pod has at a path, by the kubelet's notes.</summary>
public sealed class PodMountTests : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("carina-kubelet-");

    [Theory]
    [InlineData("pods/uid-1/volumes/kubernetes.io~csi/pvc-1/mount", "pods/uid-1/volumes/kubernetes.io~csi/pvc-1/vol_data.json")]
    [InlineData("plugins/kubernetes.io/csi/volumeDevices/publish/pvc-1/uid-1", "plugins/kubernetes.io/csi/volumeDevices/pvc-1/data/vol_data.json")]
    public void The_note_says_whose_volume_it_is(string path, string note)
    {
        var full = Path.Combine(_root.FullName, path);
        Assert.Null(PodMount.Find(full));
        Write(note, """{"driverName":"carina.storage.io","volumeHandle":"volume-1"}""");
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        Assert.Equal(new PodMount("volume-1", "uid-1", full), PodMount.Find(full));

        foreach (var other in new[] { """{"driverName":"another","volumeHandle":"volume-1"}""", """{"driverName":"carina.storage.io"}""", "[]", "{" })
        {
            Write(note, other);
            Assert.Null(PodMount.Find(full));
        }
    }

    [Fact]
    public void What_is_mounted_elsewhere_is_nobodys() => Assert.Empty(PodMount.ReadAll([_root.FullName]));

    public void Dispose() => _root.Delete(recursive: true);

    private void Write(string name, string content)
    {
        var path = Path.Combine(_root.FullName, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
    }
}
