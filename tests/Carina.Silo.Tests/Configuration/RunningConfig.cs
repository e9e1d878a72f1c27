using System.Collections.Concurrent;
using System.Diagnostics;
using Carina.Grains.Configuration;
using Carina.Silo.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Carina.Silo.Tests.Configuration;

/// <summary>A host whose only work is to follow a configuration file, and what it said.</summary>
internal sealed class RunningConfig : IAsyncDisposable
{
    private readonly IHost _host;
    private readonly Lines _lines = new();

    private RunningConfig(string path, TimeProvider? time, Action<IServiceCollection>? configure)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.AddProvider(_lines);
        if (time is not null)
            builder.Services.AddSingleton(time);
        configure?.Invoke(builder.Services);

        // So rarely that what tests see is the watch, unless they advance the clock.
        builder.Services.Configure<ConfigFileOptions>(options => options.PollInterval = TimeSpan.FromHours(1));
        builder.Services.AddCarinaConfigFile(path);
        _host = builder.Build();
        Source = _host.Services.GetRequiredService<ConfigFileSource>();
        _ = Source.OnChange(Changes.Enqueue);
    }

    public ConfigFileSource Source { get; }

    /// <summary>The configurations that listeners were given.</summary>
    public ConcurrentQueue<CarinaConfig> Changes { get; } = new();

    /// <summary>Names of the groups in force.</summary>
    public string Groups => string.Join(' ', Source.Current.Groups.Select(group => group.Name));

    public IEnumerable<string> Errors => _lines.All.Where(line => line.Level == LogLevel.Error).Select(line => line.Text);

    public IEnumerable<string> Warnings => _lines.All.Where(line => line.Level == LogLevel.Warning).Select(line => line.Text);

    public static async Task<RunningConfig> StartAsync(
        string path, TimeProvider? time = null, Action<IServiceCollection>? configure = null)
    {
        var running = new RunningConfig(path, time, configure);
        await running._host.StartAsync();
        return running;
    }

    /// <summary>Waits for what has to come about; the time is for a busy machine.</summary>
    public async Task UntilAsync(Func<bool> holds, Action? meanwhile = null)
    {
        for (var waited = Stopwatch.StartNew(); !holds(); await Task.Delay(20))
        {
            meanwhile?.Invoke();
            Assert.True(
                waited.Elapsed < TimeSpan.FromSeconds(30),
                $"Not in 30 s. In force: {Groups}. Status: {string.Join("; ", Source.Status.Errors)}. Log: {string.Join("\n", _lines.All)}");
        }
    }

    /// <summary>Lets what is under way come to its end, so that the next change has to be noticed by itself.</summary>
    public static async Task SettleAsync(FakeTimeProvider? time = null)
    {
        for (var i = 0; i < 20; i++)
        {
            time?.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Delay(time is null ? 35 : 10);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }

    private sealed class Lines : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<(LogLevel Level, string Text)> All { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            All.Enqueue((logLevel, formatter(state, exception)));

        public void Dispose()
        {
        }
    }
}
