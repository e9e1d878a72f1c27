using Carina.Grains.Agents;
using Carina.Silo.Fencing.Leases;
using Carina.Silo.Linux;

namespace Carina.Silo.Fencing.Guard;

/// <summary>Reads what the silo guards; never writes it.</summary>
internal sealed class GuardedFile(string path)
{
    private FileStamp? _stamp;
    private IReadOnlyCollection<DiskVolumeKey> _known = [];

    /// <summary>What is guarded now; what was known before, as long as the file cannot be read.</summary>
    /// <param name="damage">Why it cannot; empty when it can.</param>
    public IReadOnlyCollection<DiskVolumeKey> Read(out string damage)
    {
        damage = "";

        // Before the content: a file that is replaced in between is read again the next time.
        var stamp = LinuxFile.TryStamp(path);
        if (stamp == _stamp)
            return _known;

        var found = new GuardedVolumes(path);
        damage = found.Damage;
        if (damage.Length == 0)
            (_known, _stamp) = (found.All, stamp);

        return _known;
    }
}
