using Carina.Silo.Linux;

namespace Carina.Silo.Fencing;

/// <summary>A small file that survives a power cut: it is the old or the new one, never a part.</summary>
internal static class DurableFile
{
    private const uint OwnerOnly = 0x180;

    /// <summary>Returns when it is on the disk; makes the directory if that is missing. Not two at a time for one path.</summary>
    /// <param name="path">The file.</param>
    /// <param name="bytes">What it is to hold.</param>
    /// <param name="writer">
    /// Tells processes apart that write to the same path: one that is stopped amid that must not go on in another's file.
    /// </param>
    /// <returns>The stamp of what was written.</returns>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static FileStamp? Write(string path, ReadOnlySpan<byte> bytes, string writer = "")
    {
        var directory = Directory.CreateDirectory(Path.GetDirectoryName(path)!).FullName;
        var temporary = path + writer + ".new";
        FileStamp? stamp;
        using (var file = LinuxFile.Open(null, temporary, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.NoFollow, OwnerOnly))
        {
            LinuxFile.SetSize(file, 0);
            RandomAccess.Write(file, bytes, 0);
            LinuxFile.Flush(file);
            stamp = LinuxFile.TryStamp(file);
        }

        File.Move(temporary, path, overwrite: true);
        using var parent = LinuxFile.Open(null, directory, OpenFlags.Directory);
        LinuxFile.Flush(parent);
        return stamp;
    }
}
