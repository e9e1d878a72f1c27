using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Fencing;
using Carina.Silo.Fencing.Guard;
using Carina.Silo.Fencing.Leases;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Carina.Silo.Tests.Fencing.Guard;

/// <summary>A guard whose clock, volumes and watchdog are the test's; the files are real.</summary>
internal sealed class GuardWorld : IVolumeFence, ICutCheck, ILeaseClock, IWatchdog, IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("carina-guard-");

    public GuardWorld()
    {
        File = new DeadlineFile(DeadlinePath) { BootId = "this boot" };
        Beat = new GuardBeat(Files, File, this, this, Time, NullLogger<GuardBeat>.Instance);
        Guard = new FenceGuard(
            File, new GuardedFile(GuardedPath), this, this, this, this, Beat, Microsoft.Extensions.Options.Options.Create(Options), Time,
            NullLogger<FenceGuard>.Instance);
    }

    public static DiskVolumeKey Key { get; } = new("volume-1", "carina-vg-ssd", 1);

    public string DeadlinePath => Path.Combine(_directory.FullName, "run/lease.json");

    public string GuardedPath => Path.Combine(_directory.FullName, "guarded/a.json");

    public FakeTimeProvider Time { get; } = new();

    public GuardOptions Options { get; } = new();

    public DeadlineFile File { get; }

    public FenceGuard Guard { get; }

    /// <summary>The guard's sign of life.</summary>
    public GuardBeat Beat { get; }

    public GuardFiles Files => new(Path.GetDirectoryName(DeadlinePath)!);

    /// <summary>The silo's eye on it.</summary>
    public GuardSight Sight => new(Files, File, this);

    public bool IsArmed { get; set; }

    /// <summary>The clock of the deadline.</summary>
    public TimeSpan Elapsed { get; set; } = TimeSpan.FromHours(1);

    public HashSet<DiskVolumeKey> Cut { get; } = [];

    public int Fences { get; private set; }

    public int Pets { get; private set; }

    public bool IsDisarmed { get; private set; }

    /// <summary>What a fence fails with.</summary>
    public StorageErrorCode? Failure { get; set; }

    public Task GuardAsync(params DiskVolumeKey[] keys) => Task.WhenAll(keys.Select(key => new GuardedVolumes(GuardedPath).AddAsync(key, default)));

    /// <summary>As the silo tells it.</summary>
    public void Tell(double secondsLeft, bool guarded = true, string boot = "this boot") => File.Write(new LeaseDeadline(
        boot, "silo-1", guarded, LeaseDeadline.ToNanoseconds(Elapsed + TimeSpan.FromSeconds(secondsLeft))));

    public async Task<int> LookAsync(double afterSeconds = 0)
    {
        Elapsed += TimeSpan.FromSeconds(afterSeconds);
        await Guard.LookAsync();
        return Fences;
    }

    public Task FenceAsync(DiskVolumeKey key, string reason, CancellationToken cancellationToken)
    {
        Fences++;
        if (Failure is { } code)
            throw new StorageException(code, "the test says so");

        Cut.Add(key);
        return Task.CompletedTask;
    }

    public Task LiftAsync(DiskVolumeKey key, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<bool> IsCutAsync(DiskVolumeKey key, CancellationToken cancellationToken) => Task.FromResult(Cut.Contains(key));

    public void Pet() => Pets++;

    public void Disarm() => IsDisarmed = true;

    public void Dispose()
    {
        Guard.Dispose();
        Beat.Dispose();
        _directory.Delete(recursive: true);
    }
}
