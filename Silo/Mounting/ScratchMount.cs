using System.Runtime.InteropServices;
using Carina.Grains.Volumes;
using Carina.Silo.Linux;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Mounting;

/// <summary>
/// Makes bind mounts with flags of their own appear at their target in one step. A bind mount takes over the flags of
/// its source, and only a second call can change them; between the two a read-only volume would be writable, for ever
/// if the process died there. So the two calls happen at a private place, and the result is bound to the target.
/// </summary>
internal sealed class ScratchMount(MountCalls calls, NodeVolumesOptions options)
{
    /// <summary>Binds a source to a target with these flags added.</summary>
    public async Task BindAsync(
        string volumeId, SafeFileHandle source, SafeFileHandle target, ulong addedFlags, string targetPath)
    {
        if (addedFlags == 0)
        {
            await calls.BindAsync(source, target, targetPath).ConfigureAwait(false);
            return;
        }

        MakeScratchDirectory();
        using var scratch = Open(volumeId)!;
        if (LinuxFile.Status(source).Kind == FileKind.Directory)
            scratch.MakeDirectory(MountPoints.DirectoryMode);
        else
            scratch.MakeFile(MountPoints.FileMode);

        try
        {
            using (var place = scratch.TryOpenTarget()!)
            {
                await calls.BindAsync(source, place, scratch.RealPath).ConfigureAwait(false);
            }

            using var mounted = scratch.TryOpenTarget()!;
            var flags = MountOptions.FlagsOf(scratch.FindMount()!) | addedFlags;
            await calls.SetFlagsAsync(mounted, flags, scratch.RealPath).ConfigureAwait(false);
            await calls.BindAsync(mounted, target, targetPath).ConfigureAwait(false);
        }
        finally
        {
            await ReleaseAsync(volumeId).ConfigureAwait(false);
        }
    }

    /// <summary>Removes what an earlier process may have left for this volume.</summary>
    public async Task ReleaseAsync(string volumeId)
    {
        using var scratch = Open(volumeId);
        if (scratch is null)
            return;

        while (scratch.FindMount() is not null)
            await scratch.UnmountAsync(calls).ConfigureAwait(false);

        scratch.RemoveEmpty();
    }

    private void MakeScratchDirectory()
    {
        const uint ownerOnly = 0x1C0;
        var path = options.ScratchDirectory.TrimEnd('/');
        if (Directory.Exists(path))
            return;

        var parent = Path.GetDirectoryName(path)!;
        Directory.CreateDirectory(parent);
        using var handle = LinuxFile.Open(null, parent, OpenFlags.PathOnly | OpenFlags.Directory);

        // Another volume may have come first.
        if (Libc.MkdirAt(handle, Path.GetFileName(path), ownerOnly) != 0 && Marshal.GetLastPInvokeError() != Errno.EEXIST)
            throw LinuxError.Last($"make directory {path}");
    }

    private SafePath? Open(string volumeId) =>
        VolumeIds.IsWellFormed(volumeId)
            ? SafePath.TryOpen(options.ScratchDirectory.TrimEnd('/') + "/" + volumeId, [options.ScratchDirectory])
            : null;
}
