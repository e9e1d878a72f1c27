using Carina.Silo.Linux;

namespace Carina.Silo.Fencing;

/// <summary>A small file that survives a power cut: it is the old or the new one, never a part.</summary>
internal static class DurableFile
{
    private const uint OwnerOnly = 0x180;

    /// <summary>Returns when it is on the disk; makes the directory if that is missing. Not two at a time for one path.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Write(string path, ReadOnlySpan<byte> bytes)
    {
        var directory = Directory.CreateDirectory(Path.GetDirectoryName(path)!).FullName;
        using (var file = LinuxFile.Open(null, path + ".new", OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.NoFollow, OwnerOnly))
        {
            LinuxFile.SetSize(file, 0);
            RandomAccess.Write(file, bytes, 0);
            LinuxFile.Flush(file);
        }

        File.Move(path + ".new", path, overwrite: true);
        using var parent = LinuxFile.Open(null, directory, OpenFlags.Directory);
        LinuxFile.Flush(parent);
    }
}
