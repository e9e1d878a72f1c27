using System.Text;
using Carina.Grains.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;

namespace Carina.Silo.Tests.Configuration;

public sealed class ConfigFileSourceTests : IDisposable
{
    private readonly ConfigDirectory _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task The_file_is_in_force_before_other_services_start()
    {
        _files.Write(ConfigDirectory.Named("first"));
        var witness = "";

        await using var running = await RunningConfig.StartAsync(_files.File, configure: services =>
            services.AddHostedService(provider => new Witness(provider.GetRequiredService<ICarinaConfigSource>(), seen => witness = seen)));

        Assert.Equal("first", witness);
        Assert.Equal("first", running.Groups);
        Assert.Empty(running.Source.Status.Errors);
        Assert.NotNull(running.Source.Status.AppliedAt);
    }

    [Fact]
    public async Task Without_a_file_nothing_is_managed_until_there_is_one()
    {
        await using var running = await RunningConfig.StartAsync(_files.File);

        Assert.Same(CarinaConfig.Empty, running.Source.Current);
        Assert.Contains("cannot be read", Assert.Single(running.Source.Status.Errors).Message, StringComparison.Ordinal);
        Assert.Contains(running.Errors, line => line.Contains(_files.File, StringComparison.Ordinal));

        _files.Write(ConfigDirectory.Named("late"));

        await running.UntilAsync(() => running.Groups == "late");
        Assert.Empty(running.Source.Status.Errors);
    }

    [Fact]
    public async Task A_wrong_file_at_the_start_manages_nothing_and_names_its_lines()
    {
        _files.Write("{\n  \"diskSelector\": [\n    {\"name\": \"a\", \"re\": [], \"policy\": \"LVM\"}\n  ]\n}");

        await using var running = await RunningConfig.StartAsync(_files.File);

        Assert.Same(CarinaConfig.Empty, running.Source.Current);
        Assert.Equal((3, "diskSelector[0].re"), (running.Source.Status.Errors[0].Line, running.Source.Status.Errors[0].Path));
        Assert.Contains(running.Errors, line => line.Contains("line 3, column 25, field diskSelector[0].re:", StringComparison.Ordinal));
        Assert.Contains(running.Errors, line => line.Contains("nothing is managed", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_rewritten_and_a_replaced_file_come_into_force()
    {
        _files.Write(ConfigDirectory.Named("first"));
        await using var running = await RunningConfig.StartAsync(_files.File);

        await RunningConfig.SettleAsync();
        _files.Write(ConfigDirectory.Named("rewritten"));
        await running.UntilAsync(() => running.Groups == "rewritten");
        await RunningConfig.SettleAsync();
        _files.Replace(ConfigDirectory.Named("replaced"));
        await running.UntilAsync(() => running.Groups == "replaced");
        await RunningConfig.SettleAsync();
        _files.Write(ConfigDirectory.Named("again"));
        await running.UntilAsync(() => running.Groups == "again");

        Assert.Equal(["first", "rewritten", "replaced", "again"], running.Changes.Select(change => change.Groups[0].Name));
    }

    [Fact]
    public async Task A_ConfigMap_is_followed_and_a_wrong_edit_changes_nothing()
    {
        await _files.ProjectAsync(ConfigDirectory.Named("first"));
        await using var running = await RunningConfig.StartAsync(_files.File);
        Assert.Equal("first", running.Groups);

        await RunningConfig.SettleAsync();
        await _files.ProjectAsync(ConfigDirectory.Named("second"));
        await running.UntilAsync(() => running.Groups == "second");
        var second = running.Source.Current;

        // Half of it is right, and none of it may be applied (defect C26).
        await RunningConfig.SettleAsync();
        await _files.ProjectAsync("""{"schedulerStrategy": "binpack", "diskSelector": [{"name": "third", "re": ["("], "policy": "LVM"}]}""");
        await running.UntilAsync(() => running.Source.Status.Errors.Count > 0);
        Assert.Same(second, running.Source.Current);
        Assert.Equal("diskSelector[0].re[0]", running.Source.Status.Errors[0].Path);
        Assert.Contains(running.Errors, line => line.Contains("the last valid one", StringComparison.Ordinal));

        await RunningConfig.SettleAsync();
        await _files.ProjectAsync(ConfigDirectory.Named("fourth"));
        await running.UntilAsync(() => running.Groups == "fourth");
        Assert.Empty(running.Source.Status.Errors);
        Assert.Equal(["first", "second", "fourth"], running.Changes.Select(change => change.Groups[0].Name));
    }

    [Fact]
    public async Task A_file_that_goes_and_comes_back_as_it_was_changes_nothing()
    {
        _files.Write(ConfigDirectory.Named("first"));
        await using var running = await RunningConfig.StartAsync(_files.File);
        var first = running.Source.Current;

        File.Delete(_files.File);
        await running.UntilAsync(() => running.Source.Status.Errors.Count > 0);
        Assert.Same(first, running.Source.Current);

        _files.Write(ConfigDirectory.Named("first"));
        await running.UntilAsync(() => running.Source.Status.Errors.Count == 0);
        Assert.Same(first, running.Source.Current);
        Assert.Single(running.Changes);
    }

    [Fact]
    public async Task A_file_written_in_pieces_is_read_whole()
    {
        var time = new FakeTimeProvider();
        _files.Write(ConfigDirectory.Named("first"));
        await using var running = await RunningConfig.StartAsync(_files.File, time);
        var text = ConfigDirectory.Named("whole");

        await using (var stream = new FileStream(_files.File, FileMode.Create))
        {
            await stream.WriteAsync(Encoding.UTF8.GetBytes(text[..20]));
            await stream.FlushAsync();
            await Task.Delay(200);
            Assert.Equal("first", running.Groups);
            await stream.WriteAsync(Encoding.UTF8.GetBytes(text[20..]));
        }

        await running.UntilAsync(() => running.Groups == "whole", () => time.Advance(TimeSpan.FromMilliseconds(50)));
        Assert.Empty(running.Errors);
    }

    [Fact]
    public async Task What_the_watch_cannot_see_the_poll_finds()
    {
        // The kubelet is not the only one who links; a change behind a link into another directory gives no sign.
        var time = new FakeTimeProvider();
        var target = Path.Combine(_files.Aside, "target.json");
        await File.WriteAllTextAsync(target, ConfigDirectory.Named("first"));
        File.CreateSymbolicLink(_files.File, target);
        await using var running = await RunningConfig.StartAsync(_files.File, time);

        await RunningConfig.SettleAsync(time);
        await File.WriteAllTextAsync(target, ConfigDirectory.Named("second"));
        await RunningConfig.SettleAsync(time);
        Assert.Equal("first", running.Groups);

        await running.UntilAsync(() => running.Groups == "second", () => time.Advance(TimeSpan.FromMinutes(10)));
    }

    [Fact]
    public async Task Without_its_directory_it_looks_from_time_to_time_and_then_watches()
    {
        var time = new FakeTimeProvider();
        Directory.Delete(_files.Mount);
        await using var running = await RunningConfig.StartAsync(_files.File, time);
        await running.UntilAsync(() => running.Warnings.Any(line => line.Contains("cannot be watched", StringComparison.Ordinal)));
        await RunningConfig.SettleAsync(time);

        Directory.CreateDirectory(_files.Mount);
        _files.Write(ConfigDirectory.Named("polled"));
        time.Advance(TimeSpan.FromHours(1));
        await FollowsAsync(running, time, "polled");
        _files.Write(ConfigDirectory.Named("watched"));
        await FollowsAsync(running, time, "watched");
        Assert.Single(running.Warnings);
    }

    [Fact]
    public async Task A_directory_that_is_replaced_is_watched_again()
    {
        var time = new FakeTimeProvider();
        await using var running = await RunningConfig.StartAsync(_files.File, time);
        _files.Write(ConfigDirectory.Named("first"));
        await FollowsAsync(running, time, "first");

        await ConfigDirectory.MoveAsync(_files.Mount, Path.Combine(_files.Aside, "old"));
        Directory.CreateDirectory(_files.Mount);
        _files.Write(ConfigDirectory.Named("polled"));
        time.Advance(TimeSpan.FromHours(1));
        await FollowsAsync(running, time, "polled");
        _files.Write(ConfigDirectory.Named("watched"));
        await FollowsAsync(running, time, "watched");
    }

    [Fact]
    public async Task A_listener_that_fails_does_not_keep_changes_from_others_and_one_that_left_hears_nothing()
    {
        _files.Write(ConfigDirectory.Named("first"));
        await using var running = await RunningConfig.StartAsync(_files.File);
        var left = 0;
        var heard = new List<string>();
        running.Source.OnChange(_ => left++).Dispose();
        using var failing = running.Source.OnChange(_ => throw new InvalidOperationException("listener"));
        using var subscription = running.Source.OnChange(config => heard.Add(config.Groups[0].Name + running.Groups));

        _files.Write(ConfigDirectory.Named("second"));
        await running.UntilAsync(() => heard.Count > 0);

        Assert.Equal(["secondsecond"], heard);
        Assert.Equal(0, left);
        Assert.Contains(running.Errors, line => line.Contains("listener", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_same_error_is_logged_once_however_often_it_is_looked_at()
    {
        var time = new FakeTimeProvider();
        _files.Write("{");
        await using var running = await RunningConfig.StartAsync(_files.File, time);
        var logged = running.Errors.Count();

        for (var i = 0; i < 20; i++)
        {
            time.Advance(TimeSpan.FromHours(1));
            await Task.Delay(10);
        }

        Assert.Equal(logged, running.Errors.Count());

        // The loop still runs.
        _files.Write(ConfigDirectory.Named("first"));
        await running.UntilAsync(() => running.Groups == "first", () => time.Advance(TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public async Task What_is_no_file_or_too_large_a_one_is_an_error()
    {
        Directory.CreateDirectory(_files.File);
        await using (var running = await RunningConfig.StartAsync(_files.File))
            Assert.Contains("cannot be read", Assert.Single(running.Source.Status.Errors).Message, StringComparison.Ordinal);

        Directory.Delete(_files.File);
        _files.Write(ConfigDirectory.Named("a") + new string(' ', CarinaConfigParser.MaxBytes));
        await using (var running = await RunningConfig.StartAsync(_files.File))
        {
            Assert.Contains("larger than", Assert.Single(running.Source.Status.Errors).Message, StringComparison.Ordinal);
            Assert.Same(CarinaConfig.Empty, running.Source.Current);
        }
    }

    /// <summary>The change is found within minutes, which are not enough for an hourly poll.</summary>
    private static async Task FollowsAsync(RunningConfig running, FakeTimeProvider time, string group)
    {
        var end = time.GetUtcNow() + TimeSpan.FromMinutes(10);
        await running.UntilAsync(
            () => running.Groups == group,
            () =>
            {
                if (time.GetUtcNow() < end)
                    time.Advance(TimeSpan.FromMilliseconds(100));
            });
        await RunningConfig.SettleAsync(time);
    }

    /// <summary>Reports the groups in force at its start.</summary>
    private sealed class Witness(ICarinaConfigSource source, Action<string> report) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            report(string.Join(' ', source.Current.Groups.Select(group => group.Name)));
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
