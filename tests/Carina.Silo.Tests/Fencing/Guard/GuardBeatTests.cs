using Carina.Grains.Agents;
using Carina.Silo.Fencing.Guard;

namespace Carina.Silo.Tests.Fencing.Guard;

/// <summary>Whether the silo sees that the guard process lives. The lock of a process that is killed: GuardProcessTests.</summary>
public sealed class GuardBeatTests : IDisposable
{
    private readonly GuardWorld _world = new();

    [Fact]
    public async Task It_is_seen_while_it_works_and_not_when_it_hangs_or_has_ended()
    {
        Assert.Equal(LeaseGuard.Silo, _world.Sight.Look());
        await _world.LookAsync();
        Assert.Equal(LeaseGuard.Process, _world.Sight.Look());
        _world.Elapsed += GuardSight.Patience;
        Assert.Equal(LeaseGuard.Process, _world.Sight.Look());
        _world.Elapsed += TimeSpan.FromMilliseconds(1);
        Assert.Equal(LeaseGuard.Silo, _world.Sight.Look());

        await _world.LookAsync();
        Assert.Equal(LeaseGuard.Process, _world.Sight.Look());
        _world.Beat.Dispose();
        Assert.Equal(LeaseGuard.Silo, _world.Sight.Look());
    }

    [Fact]
    public async Task The_watchdog_counts_while_it_is_armed()
    {
        _world.IsArmed = true;
        await _world.LookAsync();
        Assert.Equal(LeaseGuard.ProcessAndWatchdog, _world.Sight.Look());
        _world.IsArmed = false;
        await _world.LookAsync(1);
        Assert.Equal(LeaseGuard.Process, _world.Sight.Look());
    }

    [Fact]
    public async Task One_that_cannot_read_what_is_promised_keeps_no_word()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_world.DeadlinePath)!);
        await File.WriteAllTextAsync(_world.DeadlinePath, "{", TestContext.Current.CancellationToken);
        await _world.LookAsync();
        Assert.Equal(LeaseGuard.Silo, _world.Sight.Look());
    }

    [Fact]
    public async Task A_sign_of_another_boot_is_none()
    {
        await _world.LookAsync();
        Assert.Equal(LeaseGuard.Silo, new GuardSight(_world.Files, new DeadlineFile(_world.DeadlinePath) { BootId = "another" }, _world).Look());
    }

    public void Dispose() => _world.Dispose();
}
