using System.Text.Json.Nodes;
using Carina.Grains;
using Carina.Webhook.Claims;
using Carina.Webhook.Hosting;
using Carina.Webhook.Tests.Hosting;

namespace Carina.Webhook.Tests.Admission;

/// <summary>Which pods are changed, and how.</summary>
public sealed class DecisionTests : IDisposable
{
    private const string Switch = CarinaNames.AllowMigration;
    private readonly ClaimWorld _world = new();

    public static TheoryData<string> Spellings => [.. CarinaNames.AllowMigrationSpellings];

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("default-scheduler")]
    public async Task A_pod_whose_scheduler_nobody_chose_gets_ours(string? scheduler)
    {
        var pod = Reviews.Pod("data").WithScheduler(scheduler);
        var changed = await _world.MutateAsync(pod);
        Assert.Equal("carina-scheduler", changed.Scheduler());

        // Nothing else changes.
        changed["spec"]!["schedulerName"] = scheduler;
        Assert.True(JsonNode.DeepEquals(pod, changed), changed.ToJsonString());
    }

    [Fact]
    public async Task A_scheduler_that_somebody_chose_stays()
    {
        _world.AddClass("csi-carina-sc", annotations: ClaimWorld.Parameters((Switch, "true")));
        var changed = await _world.MutateAsync(Reviews.Pod("data").WithScheduler("volcano"));
        Assert.Equal("volcano", changed.Scheduler());
        Assert.Equal("true", changed.Annotation(Switch));
    }

    [Fact]
    public async Task A_pod_that_is_on_a_node_already_keeps_its_scheduler()
    {
        var pod = Reviews.Pod("data");
        pod["spec"]!["nodeName"] = "node-1";
        Assert.Equal("default-scheduler", (await _world.MutateAsync(pod)).Scheduler());
    }

    [Theory]
    [InlineData("foreign")]
    [InlineData()]
    public async Task Pods_without_our_volumes_are_left_alone(params string[] claims) => await RequireUnchangedAsync(Reviews.Pod(claims));

    [Fact]
    public async Task One_of_our_claims_among_others_is_enough() =>
        Assert.Equal("carina-scheduler", (await _world.MutateAsync(Reviews.Pod("foreign", "data"))).Scheduler());

    [Theory]
    [InlineData("")]
    [InlineData("false")]
    [InlineData("anything")]
    public async Task The_opt_out_annotation_counts_with_any_value(string value)
    {
        _world.AddClass("csi-carina-sc", annotations: ClaimWorld.Parameters((Switch, "true")));
        await RequireUnchangedAsync(Reviews.Pod("data").WithAnnotation("carina.storage.io/custom-scheduler-plugin", value));
    }

    [Theory]
    [InlineData("ignore", false)]
    [InlineData("Ignore", true)]
    [InlineData("true", true)]
    public async Task The_namespaces_label_is_looked_at_again(string value, bool changes)
    {
        _world.Namespaces.Add(new()
        {
            Metadata = new() { Name = ClaimWorld.Namespace, Labels = ClaimWorld.Parameters(("carina.storage.io/webhook", value)) },
        });
        var changed = await _world.MutateAsync(Reviews.Pod("data"));
        Assert.Equal(changes ? "carina-scheduler" : "default-scheduler", changed.Scheduler());
    }

    [Theory]
    [InlineData("carina.storage.io/disk-group-name", "carina-host", false)]
    [InlineData("carina.storage.io/disk-group-name", "CARINA-HOST", false)]
    [InlineData("carina.storage.io/disk-type", "carina-host", false)]
    [InlineData("carina.storage.io/disk-group-name", "carina-lvm", true)]
    [InlineData("carina.storage.io/disk-group-name", "not-configured-here", true)]
    [InlineData("carina.storage.io/disk-group-name", "", true)]
    public async Task Host_directories_are_the_default_schedulers_business(string key, string group, bool changes)
    {
        _world.AddClass("csi-carina-sc", ClaimWorld.Parameters((key, group), (Switch, "true")));
        var changed = await _world.MutateAsync(Reviews.Pod("data"));
        Assert.Equal(changes ? "carina-scheduler" : "default-scheduler", changed.Scheduler());
        Assert.Equal(changes ? "true" : null, changed.Annotation(Switch));
    }

    [Theory]
    [InlineData("true", null, "true")]
    [InlineData(null, "true", "true")]
    [InlineData("false", null, "false")]
    [InlineData(null, " false ", "false")]
    [InlineData("false", "true", "false")]
    [InlineData("true", "false", "true")]
    [InlineData(null, "", null)]
    [InlineData(null, null, null)]
    public async Task The_failover_switch_comes_from_annotations_or_parameters(string? annotation, string? parameter, string? expected)
    {
        _world.AddClass(
            "csi-carina-sc",
            parameter is null ? null : ClaimWorld.Parameters((Switch, parameter)),
            annotation is null ? null : ClaimWorld.Parameters((Switch, annotation)));
        Assert.Equal(expected, (await _world.MutateAsync(Reviews.Pod("data"))).Annotation(Switch));

        var other = (await _world.MutateAsync(Reviews.Pod("data").WithAnnotation("team/own", "1")));
        Assert.Equal((expected, "1"), (other.Annotation(Switch), other.Annotation("team/own")));
    }

    [Theory]
    [MemberData(nameof(Spellings))]
    public async Task A_pod_that_says_it_itself_in_any_spelling_is_not_told(string spelling)
    {
        _world.AddClass("csi-carina-sc", annotations: ClaimWorld.Parameters((Switch, "true")));
        var changed = await _world.MutateAsync(Reviews.Pod("data").WithAnnotation(spelling, "false"));
        Assert.Equal("false", changed.Annotation(spelling));
        Assert.Single(changed["metadata"]!["annotations"]!.AsObject());
        Assert.Equal("carina-scheduler", changed.Scheduler());
    }

    [Fact]
    public async Task The_first_class_that_has_the_switch_counts()
    {
        _world.AddClass("second", ClaimWorld.Parameters((Switch, "true")));
        _world.AddClass("third", ClaimWorld.Parameters((Switch, "false")));
        _world.AddClaim("b", "second");
        _world.AddClaim("c", "third");
        Assert.Equal("true", (await _world.MutateAsync(Reviews.Pod("data", "b", "c"))).Annotation(Switch));
        Assert.Equal("false", (await _world.MutateAsync(Reviews.Pod("data", "c", "b"))).Annotation(Switch));
    }

    [Fact]
    public async Task Ephemeral_volumes_are_looked_at()
    {
        var pod = Reviews.Pod().WithEphemeral("tmp", new JsonObject
        {
            ["storageClassName"] = "csi-carina-sc",
            ["resources"] = new JsonObject { ["requests"] = new JsonObject { ["storage"] = "1Gi" } },
        });
        pod["metadata"]!.AsObject().Remove("name");
        pod["metadata"]!["generateName"] = "job-";
        Assert.Equal("carina-scheduler", (await _world.MutateAsync(pod)).Scheduler());

        await RequireUnchangedAsync(Reviews.Pod().WithEphemeral("tmp", new JsonObject { ["storageClassName"] = "other" }));
    }

    [Theory]
    [InlineData(UnknownClaims.Leave, "default-scheduler")]
    [InlineData(UnknownClaims.Schedule, "carina-scheduler")]
    public async Task What_nobody_knows_yet_is_left_unless_configured_otherwise(UnknownClaims setting, string scheduler)
    {
        _world.Options.UnknownClaims = setting;
        var changed = await _world.MutateAsync(Reviews.Pod("not-there"));
        Assert.Equal(scheduler, changed.Scheduler());
        Assert.Null(changed["metadata"]!["annotations"]);
    }

    [Fact]
    public async Task The_second_time_there_is_nothing_left_to_change()
    {
        _world.AddClass("csi-carina-sc", annotations: ClaimWorld.Parameters((Switch, "true")));
        var once = await _world.MutateAsync(Reviews.Pod("data"));
        Assert.Null((await _world.AskAsync(Reviews.Of(once))).Patch);
    }

    [Fact]
    public async Task The_pods_own_namespace_comes_before_the_requests()
    {
        var pod = Reviews.Pod("data");
        pod["metadata"]!["namespace"] = ClaimWorld.Namespace;
        Assert.NotNull((await _world.AskAsync(Reviews.Of(pod, ns: "elsewhere"))).Patch);
        Assert.Null((await _world.AskAsync(Reviews.Of(Reviews.Pod("data"), ns: "elsewhere"))).Patch);
    }

    [Fact]
    public async Task A_fault_of_ours_denies_nobody()
    {
        _world.OtherClaims = new Broken();
        var answer = await _world.AskAsync(Reviews.Of(Reviews.Pod("data")));
        Assert.True(answer.Allowed);
        Assert.Null(answer.Patch);
        Assert.Contains("left it as it is", Assert.Single(answer.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_decision_that_takes_too_long_is_none()
    {
        _world.OtherClaims = new Slow();
        _world.Options.DecisionTimeout = TimeSpan.FromMilliseconds(50);
        var answer = await _world.AskAsync(Reviews.Of(Reviews.Pod("data")));
        Assert.True(answer.Allowed);
        Assert.Null(answer.Patch);
    }

    private async Task RequireUnchangedAsync(JsonObject pod)
    {
        var answer = await _world.AskAsync(Reviews.Of(pod));
        Assert.True(answer.Allowed);
        Assert.Null(answer.Patch);
        Assert.Empty(answer.Warnings);
    }

    private sealed class Broken : IPodClaims
    {
        public Task Synced => Task.CompletedTask;

        public ValueTask<IReadOnlyList<PodClaim>> FindAsync(PodOutline pod, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("broken");
    }

    private sealed class Slow : IPodClaims
    {
        public Task Synced => Task.CompletedTask;

        public async ValueTask<IReadOnlyList<PodClaim>> FindAsync(PodOutline pod, CancellationToken cancellationToken)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
            return [];
        }
    }
}
