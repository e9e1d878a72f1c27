using System.Globalization;
using Carina.Grains.Errors;
using Carina.Silo.Linux;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Mounting;

/// <summary>
/// A path below an allowed directory, reached component by component without following a symbolic link. The parent
/// directory is held open: what is done to the name afterwards happens there, whatever is renamed meanwhile.
/// </summary>
internal sealed class SafePath : IDisposable
{
    private const int MaxLength = 4095;
    private readonly SafeFileHandle _parent;

    private SafePath(SafeFileHandle parent, string name)
    {
        _parent = parent;
        Name = name;
        RealPath = LinuxFile.RealPathOf(parent).TrimEnd('/') + "/" + name;
    }

    public string Name { get; }

    /// <summary>The path as the kernel has it; it differs from the one asked for where an allowed root is behind a link.</summary>
    public string RealPath { get; }

    /// <summary>Opens the parent of a path; null when a directory above it is missing.</summary>
    /// <exception cref="StorageException">InvalidArgument when the path is not below a root, or leads through a link.</exception>
    public static SafePath? TryOpen(string path, IReadOnlyList<string> roots)
    {
        var (root, components) = Split(path, roots);
        var directory = LinuxFile.TryOpen(null, root, OpenFlags.PathOnly | OpenFlags.Directory, out var errno);
        if (directory is null)
            return errno == Errno.ENOENT ? null : throw LinuxError.From(errno, $"open {root}");

        try
        {
            foreach (var component in components[..^1])
            {
                var next = LinuxFile.TryOpen(
                    directory, component, OpenFlags.PathOnly | OpenFlags.Directory | OpenFlags.NoFollow, out errno);
                if (next is null)
                {
                    return errno switch
                    {
                        Errno.ENOENT => null,
                        Errno.ENOTDIR or Errno.ELOOP => throw Refuse(
                            path, $"'{component}' in it is a symbolic link or not a directory"),
                        _ => throw LinuxError.From(errno, $"open '{component}' of {path}"),
                    };
                }

                directory.Dispose();
                directory = next;
            }

            var result = new SafePath(directory, components[^1]);
            directory = null;
            return result;
        }
        finally
        {
            directory?.Dispose();
        }
    }

    /// <summary>As <see cref="TryOpen"/>, for paths whose parent must be there.</summary>
    /// <exception cref="StorageException">FailedPrecondition when a directory above it is missing.</exception>
    public static SafePath Open(string path, IReadOnlyList<string> roots) =>
        TryOpen(path, roots)
        ?? throw new StorageException(
            StorageErrorCode.FailedPrecondition, $"The directory that is to hold {path} does not exist; the caller makes it.");

    /// <summary>A handle on what has the name now, a mount on it included; null when there is nothing.</summary>
    public SafeFileHandle? TryOpenTarget()
    {
        var target = LinuxFile.TryOpen(_parent, Name, OpenFlags.PathOnly | OpenFlags.NoFollow, out var errno);
        return target is null && errno != Errno.ENOENT ? throw LinuxError.From(errno, $"open {RealPath}") : target;
    }

    /// <summary>The mount on the name, the topmost of several; null when nothing is mounted there.</summary>
    public MountEntry? FindMount()
    {
        using var target = TryOpenTarget();
        if (target is null)
            return null;

        var id = MountIdOf(target);
        if (id == MountIdOf(_parent))
            return null;

        return MountTable.Read().Find(id)
            ?? throw new StorageException(
                StorageErrorCode.Aborted, $"The mount at {RealPath} changed while it was looked at; try again.");
    }

    public void MakeDirectory(uint mode) => LinuxFile.MakeDirectory(_parent, Name, mode);

    public void MakeFile(uint mode)
    {
        using var file = LinuxFile.Open(
            _parent, Name, OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow | OpenFlags.ReadWrite, mode);
    }

    /// <summary>Unmounts the topmost mount on the name. No handle on it may be open.</summary>
    /// <exception cref="StorageException">FailedPrecondition while processes use it.</exception>
    public Task UnmountAsync(MountCalls calls) => calls.UnmountAsync(_parent, Name, RealPath);

    /// <summary>Takes the topmost mount on the name away from here, even while processes use it.</summary>
    public Task DetachAsync(MountCalls calls) => calls.DetachAsync(_parent, Name, RealPath);

    /// <summary>
    /// Removes exactly this name if it is an empty directory or an empty file with nothing mounted on it. Nothing is
    /// success.
    /// </summary>
    /// <exception cref="StorageException">FailedPrecondition when it holds something, which is never deleted.</exception>
    public void RemoveEmpty()
    {
        using (var target = TryOpenTarget())
        {
            if (target is null)
                return;

            if (MountIdOf(target) != MountIdOf(_parent))
                throw Keep("something is mounted on it");

            var status = LinuxFile.Status(target);
            switch (status.Kind)
            {
                case FileKind.Directory:
                    break;
                case FileKind.Regular when status is { Bytes: 0, AllocatedBytes: 0, Links: 1 }:
                    LinuxFile.RemoveFile(_parent, Name);
                    return;
                default:
                    throw Keep("it is not the empty file that was made for the volume");
            }
        }

        try
        {
            LinuxFile.RemoveDirectory(_parent, Name);
        }
        catch (StorageException e) when (e.Code is StorageErrorCode.FailedPrecondition)
        {
            throw Keep("it holds files of its own");
        }
    }

    public void Dispose() => _parent.Dispose();

    private StorageException Keep(string reason) => new(
        StorageErrorCode.FailedPrecondition,
        $"{RealPath} is left alone: {reason}. Look at what is there and move it away by hand.");

    /// <summary>The mount that a handle is on, in whatever mount namespace.</summary>
    // proc(5), /proc/[pid]/fdinfo: works for handles on names, on every kernel, and does no I/O.
    internal static int MountIdOf(SafeFileHandle file)
    {
        const string field = "mnt_id:";
        var line = File.ReadLines($"/proc/self/fdinfo/{file.DangerousGetHandle()}")
            .First(line => line.StartsWith(field, StringComparison.Ordinal));
        return int.Parse(line.AsSpan(field.Length).Trim(), CultureInfo.InvariantCulture);
    }

    private static (string Root, string[] Components) Split(string path, IReadOnlyList<string> roots)
    {
        if (path.Length is 0 or > MaxLength || path[0] != '/' || path.Any(char.IsControl))
            throw Refuse(path, "it is not an absolute path");

        var components = path[1..].Split('/');
        if (components.Any(component => component is "" or "." or ".."))
            throw Refuse(path, "it contains '//', '.' or '..'");

        var root = roots.Select(root => root.TrimEnd('/'))
            .Where(root => path.StartsWith(root + "/", StringComparison.Ordinal))
            .MaxBy(root => root.Length);
        if (root is null)
            throw Refuse(path, $"it is not below {string.Join(" or ", roots)}");

        return (root.Length == 0 ? "/" : root, path[(root.Length + 1)..].Split('/'));
    }

    private static StorageException Refuse(string path, string reason) =>
        new(StorageErrorCode.InvalidArgument, $"The path '{path}' is refused: {reason}.");
}
