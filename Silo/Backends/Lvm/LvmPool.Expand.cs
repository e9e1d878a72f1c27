using System.Globalization;
using Carina.Grains.Errors;
using Carina.Silo.Lvm;

namespace Carina.Silo.Backends.Lvm;

// Expansion: to exactly the wanted size; the file system is grown by whoever mounts it.
internal sealed partial class LvmPool
{
    private async Task ExpandAsync(Work work)
    {
        var bytes = RoundUp(work.Command.Bytes);
        var known = _known.GetValueOrDefault(work.Id);
        if (known is null || known.Key != work.Command.Key || known.Problem.Length > 0 || known.Bytes >= bytes)
        {
            var present = await RequireOursAsync(work.Command.Key).ConfigureAwait(false);
            if (present.SizeBytes >= bytes)
            {
                await ResumeAsync(work.Id).ConfigureAwait(false);
                Succeed(work, present.SizeBytes);
                return;
            }
        }

        _crash.Reached("lvm.expand.before", work.Id);
        if (_thinPools.TryGetValue(work.Id, out var thinPool))
            await ExtendThinPoolAsync(thinPool, bytes).ConfigureAwait(false);
        var result = await AskAsync(Command(
            "lvextend", ["--size", string.Create(CultureInfo.InvariantCulture, $"{bytes}b")], [work.Id])).ConfigureAwait(false);
        if (result.Succeeded)
        {
            Demand(work.Id, bytes);
            Succeed(work, bytes);
        }
        else if (result.ToException() is { Kind: LvmErrorKind.NotLarger })
        {
            await ResumeAsync(work.Id).ConfigureAwait(false);
            Succeed(work, (await RequireOursAsync(work.Command.Key).ConfigureAwait(false)).SizeBytes);
        }
        else
        {
            throw result.ToException();
        }

        _crash.Reached("lvm.expand.after", work.Id);
    }

    // LVM's word is not enough: where there is a device, it has to be as large.
    private void Demand(string volumeId, long bytes)
    {
        if (DeviceMapper.Find(GroupName, GroupUuid, volumeId) is { } device && device.Bytes < bytes)
        {
            throw new StorageException(
                StorageErrorCode.Internal,
                $"LVM says that the volume has {bytes} bytes now, but its device {device.Path} has {device.Bytes}.");
        }
    }

    /// <summary>Lets I/O go on to a volume whose change was cut off between its halves.</summary>
    private async Task ResumeAsync(string volumeId)
    {
        if (DeviceMapper.Find(GroupName, GroupUuid, volumeId) is { } device && DeviceMapper.IsSuspended(device))
        {
            (await AskAsync(Command("lvchange", ["--refresh"], [volumeId])).ConfigureAwait(false)).EnsureSuccess();
            LogResumed(_logger, Name, volumeId);
        }
    }
}
