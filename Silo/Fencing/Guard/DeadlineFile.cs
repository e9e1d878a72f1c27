using System.Text.Json;

namespace Carina.Silo.Fencing.Guard;

/// <summary>
/// The file by which the silo tells the guard process of its deadline. It lies in memory (the run directory) and is
/// replaced as a whole, so that a silo that is stopped at any point leaves the old or the new one.
/// </summary>
internal sealed class DeadlineFile(string path)
{
    private const string BootIdFile = "/proc/sys/kernel/random/boot_id";

    /// <summary>Tells apart boots of the machine: a clock that began anew says nothing about a deadline of before.</summary>
    public string BootId { get; init; } = File.ReadAllText(BootIdFile).Trim();

    /// <summary>What it says; null when there is none yet.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public LeaseDeadline? Read()
    {
        try
        {
            return JsonSerializer.Deserialize<LeaseDeadline>(File.ReadAllText(path));
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception exception) when (exception is JsonException or UnauthorizedAccessException)
        {
            throw new IOException($"{path} cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>Replaces it.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Write(LeaseDeadline deadline)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path + ".new", JsonSerializer.SerializeToUtf8Bytes(deadline));
            File.Move(path + ".new", path, overwrite: true);
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new IOException($"{path} cannot be written: {exception.Message}", exception);
        }
    }
}
