using System.Threading.Channels;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Watching;
using Carina.Webhook.Hosting;
using k8s.Models;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Carina.Webhook.Certificates;

/// <summary>
/// Keeps certificate, Secret and configuration in step, in every replica: looks at all three whenever one changes or time
/// asks for it, takes at most one step, and looks again.
/// </summary>
internal sealed partial class CertificateKeeper : BackgroundService
{
    private static readonly TimeSpan _shortestPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan _longestPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan _longestWait = TimeSpan.FromHours(1);

    // Steps that follow each other at once; more means that two writers do not agree.
    private const int MostSteps = 20;

    private readonly ICertificateStore _store;
    private readonly HookConfiguration _configuration;
    private readonly ServingCertificate _serving;
    private readonly WebhookReadiness _readiness;
    private readonly WebhookOptions _options;
    private readonly IReadOnlyList<string> _names;
    private readonly TimeProvider _time;
    private readonly ILogger<CertificateKeeper> _logger;
    private readonly List<BackgroundService> _watches = [];
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private string _lastObstacle = "";

    public CertificateKeeper(
        ICertificateStore store,
        HookConfiguration configuration,
        ServingCertificate serving,
        WebhookReadiness readiness,
        IOptions<WebhookOptions> options,
        IOptions<KubernetesOptions> kubernetes,
        TimeProvider time,
        ILoggerFactory loggers)
    {
        (_store, _configuration, _serving, _readiness, _time) = (store, configuration, serving, readiness, time);
        _options = options.Value;
        _names = NamesOf(_options, _options.Namespace.Length > 0 ? _options.Namespace : kubernetes.Value.Namespace);
        _logger = loggers.CreateLogger<CertificateKeeper>();
        if (_options.ConfigurationName.Length > 0)
        {
            Watch(configuration.Source(), loggers);
        }

        if (store is CertificateSecret secret)
        {
            Watch(secret.Source(), loggers);
        }
    }

    /// <summary>The names by which a Service is called; the API server uses the third.</summary>
    internal static IReadOnlyList<string> NamesOf(WebhookOptions options, string ns) =>
    [
        options.ServiceName,
        $"{options.ServiceName}.{ns}",
        $"{options.ServiceName}.{ns}.svc",
        $"{options.ServiceName}.{ns}.svc.cluster.local",
        .. options.ExtraNames,
    ];

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var watch in _watches)
        {
            await watch.StartAsync(cancellationToken).ConfigureAwait(false);
        }

        await base.StartAsync(cancellationToken).ConfigureAwait(false);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
        foreach (var watch in _watches)
        {
            await watch.StopAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public override void Dispose()
    {
        _watches.ForEach(w => w.Dispose());
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pause = _shortestPause;
        while (!stoppingToken.IsCancellationRequested)
        {
            TimeSpan wait;
            try
            {
                wait = await StepUntilQuietAsync(stoppingToken).ConfigureAwait(false);
                pause = _shortestPause;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                LogFailed(exception.Describe(), pause);
                wait = pause;
                pause = pause * 2 < _longestPause ? pause * 2 : _longestPause;
            }

            await WaitAsync(wait, stoppingToken).ConfigureAwait(false);
        }
    }

    private async Task<TimeSpan> StepUntilQuietAsync(CancellationToken stop)
    {
        for (var step = 0; step < MostSteps; step++)
        {
            if (await StepAsync(stop).ConfigureAwait(false) is { } wait)
            {
                return wait;
            }
        }

        throw new InvalidOperationException($"The certificates still change after {MostSteps} steps; somebody else writes them too.");
    }

    /// <summary>One look at everything; null when something was changed, so that it must be looked at again.</summary>
    private async Task<TimeSpan?> StepAsync(CancellationToken stop)
    {
        var now = _time.GetUtcNow();
        var stored = await _store.ReadAsync(stop).ConfigureAwait(false);
        var set = CertificateSet.Read(stored.Data, _names[2], needsAuthority: stored.ReplaceAsync is not null, now);
        var published = await ReadPublishedAsync(set, stop).ConfigureAwait(false);
        var lookAgain = now + (_store.CheckInterval ?? _longestWait);
        if (stored.ReplaceAsync is not null)
        {
            var plan = CertificatePlan.For(
                set, published is { IsOurs: true, Hooks.Count: > 0 } ? published.Common : null, stored.ChangedAt, _names, _options, now);
            if (plan.Next is not null)
            {
                var done = await stored.ReplaceAsync(plan.Next.Write(), stop).ConfigureAwait(false);
                Log(done, plan.Reason, stored.Place);
                return null;
            }

            lookAgain = plan.LookAgain < lookAgain ? plan.LookAgain : lookAgain;
        }

        // Trust first, then the certificate: nobody gets one that the API server does not trust if that can be helped.
        if (set.Leaf is not null && set.Authorities.Count > 0 && published is { IsOurs: true }
            && published.Hooks.Any(h => !h.Holds(set.Authorities)))
        {
            if (await _configuration.PublishAsync(published, set.Authorities, stop).ConfigureAwait(false))
            {
                LogPublished(_options.ConfigurationName, string.Join(", ", set.Authorities.Select(a => a.Subject)));
            }

            return null;
        }

        Serve(set);
        Report(set, stored, published, now);
        return lookAgain - now;
    }

    private async Task<PublishedAuthorities?> ReadPublishedAsync(CertificateSet set, CancellationToken stop)
    {
        try
        {
            return await _configuration.ReadAsync(stop).ConfigureAwait(false);
        }
        catch (Exception) when (!stop.IsCancellationRequested)
        {
            // What is kept was published before, or will be: better than no certificate at all.
            Serve(set);
            throw;
        }
    }

    private void Serve(CertificateSet set)
    {
        if (set.Leaf is not null && !_serving.Is(set.Leaf))
        {
            _serving.Use(set.Leaf, set.Intermediates);
            LogServing(set.Leaf.Subject, set.Leaf.NotAfter.ToUniversalTime());
        }
    }

    private void Report(CertificateSet set, StoredCertificates stored, PublishedAuthorities? published, DateTimeOffset now)
    {
        var obstacle =
            set.Leaf is null ? $"{stored.Place} has no certificate that can be used: {set.Problem}."
            : published is null ? ""
            : published.Hooks.Count == 0
                ? $"MutatingWebhookConfiguration {_options.ConfigurationName} has no webhook that calls {_names[2]}."
            : !published.IsOurs && published.Common.Count == 0 && set.Authorities.Count == 0 ? ""
            : !CertificateChain.Verifies(set.Leaf, published.Common, set.Intermediates, now)
                ? $"MutatingWebhookConfiguration {_options.ConfigurationName} does not trust the authority of the certificate in {stored.Place} (caBundle)."
            : "";
        _readiness.Report(obstacle);
        if (obstacle == _lastObstacle)
        {
            return;
        }

        _lastObstacle = obstacle;
        if (obstacle.Length > 0)
        {
            LogNotReady(obstacle);
        }
        else
        {
            LogReady();
        }
    }

    private void Log(bool done, string reason, string place)
    {
        if (done)
        {
            LogStep(reason, place);
        }
        else
        {
            LogOvertaken(place);
        }
    }

    private void Watch<T>(ResourceSource<T> source, ILoggerFactory loggers)
        where T : class, k8s.IKubernetesObject<V1ObjectMeta>
    {
        // Its objects are not used: a change says that it is time to look.
        var cache = new ResourceCache<T>(source, _time, loggers.CreateLogger<ResourceCache<T>>());
        cache.OnChange(_ => _wake.Writer.TryWrite(true));
        _watches.Add(cache);
    }

    /// <summary>Waits until something changes, but no longer than that.</summary>
    private async Task WaitAsync(TimeSpan wait, CancellationToken stop)
    {
        using var timeout = new CancellationTokenSource(wait > TimeSpan.Zero ? wait : _shortestPause, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, timeout.Token);
        try
        {
            await _wake.Reader.ReadAsync(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Time is up, or the process ends; the caller looks at both.
        }
    }
}
