using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Carina.Grains.Configuration;
using Carina.Webhook.Tests.Scheduling.Lab;
using CsCheck;

namespace Carina.Webhook.Tests.Scheduling;

/// <summary>The wire: both forms of requests, and whatever else arrives.</summary>
public sealed class ExtenderProtocolTests : IAsyncLifetime
{
    private ExtenderWorld _world = null!;

    public async ValueTask InitializeAsync()
    {
        _world = await ExtenderWorld.StartAsync(options => options.MaxRequestBytes = 1 << 20);
        _world.PutClaim("data", 10);
        _world.PutClaim("logs", 5);
        _world.Ledgers.Nodes["node-1"] = 100;
        _world.Ledgers.Nodes["node-2"] = 12;
        _world.Ledgers.Nodes["node-3"] = 50;
    }

    public ValueTask DisposeAsync() => _world.DisposeAsync();

    [Fact]
    public async Task Names_are_answered_with_names_and_reasons()
    {
        var answer = await _world.AskAsync(WebhookPaths.Filter, ExtenderWorld.Pod("pod", "data", "logs"));
        var expected = JsonNode.Parse("""
            {"nodeNames":["node-1","node-3"],
             "failedNodes":{"node-2":"carina: node-2: group carina-vg-ssd has 12 GiB left, the pod's 2 claims ask for 15 GiB"},
             "failedAndUnresolvableNodes":{}}
            """);
        Assert.True(JsonNode.DeepEquals(expected, answer), answer.ToJsonString());
    }

    [Fact]
    public async Task Where_no_eviction_helps_both_lists_say_so()
    {
        // Schedulers of 1.20 know the first one only.
        _world.Classes.Put(new()
        {
            Metadata = new() { Name = "ssd" },
            Provisioner = "carina.storage.io",
            Parameters = new Dictionary<string, string> { ["carina.storage.io/disk-group-name"] = "nowhere" },
        });
        var answer = await _world.AskAsync(WebhookPaths.Filter, ExtenderWorld.Pod("pod", "data"));
        Assert.Equal(3, answer["failedNodes"]!.AsObject().Count);
        Assert.True(JsonNode.DeepEquals(answer["failedNodes"], answer["failedAndUnresolvableNodes"]));
        Assert.Equal("carina: node-1: has no group nowhere", answer["failedNodes"]!["node-1"]!.GetValue<string>());
    }

    [Fact]
    public async Task Whole_nodes_are_answered_with_whole_nodes()
    {
        var nodes = JsonNode.Parse("""
            {"kind":"NodeList","items":[
              {"metadata":{"name":"node-2"},"spec":{},"status":{"x":1}},
              {"metadata":{"name":"node-3","labels":{"a":"ü"}},"spec":{"fromTheFuture":[1.50,null]}}]}
            """)!;
        var answer = await _world.SendAsync(WebhookPaths.Filter, new JsonObject
        {
            ["pod"] = ExtenderWorld.Pod("pod", "data", "logs"),
            ["nodes"] = nodes.DeepClone(),
        });
        Assert.True(JsonNode.DeepEquals(nodes["items"]![1], Assert.Single(answer["nodes"]!["items"]!.AsArray())));
        Assert.Null(answer["nodeNames"]);
        Assert.Single(answer["failedNodes"]!.AsObject());
    }

    [Fact]
    public async Task Scores_use_the_schedulers_scale_and_one_node_is_best()
    {
        Assert.Equal("node-1=10 node-2=0 node-3=8", await _world.PrioritizeAsync(ExtenderWorld.Pod("pod", "data")));
        _world.Config.Strategy = SchedulerStrategy.Binpack;
        _world.Ledgers.Nodes["node-3"] = 12;
        _world.Time.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal("node-1=0 node-2=10 node-3=9", await _world.PrioritizeAsync(ExtenderWorld.Pod("pod", "data")));
        Assert.Equal("node-1=5 node-2=5 node-3=5", await _world.PrioritizeAsync(ExtenderWorld.Pod("pod")));
    }

    [Fact]
    public async Task Many_nodes_do_not_make_a_message_of_their_length()
    {
        for (var i = 0; i < 500; i++)
        {
            _world.Ledgers.Nodes[$"small-{i}"] = 1 + (i % 5);
        }

        var answer = await _world.AskAsync(WebhookPaths.Filter, ExtenderWorld.Pod("pod", "data"));
        var messages = answer["failedNodes"]!.AsObject().Select(f => f.Value!.GetValue<string>()).ToList();
        Assert.Equal((500, 21), (messages.Count, messages.Distinct().Count()));
        Assert.Contains("carina: group carina-vg-ssd has less left than the 10 GiB that the pod's claim asks for", messages);
    }

    [Theory]
    [InlineData("", "not JSON")]
    [InlineData("{", "not JSON")]
    [InlineData("[]", "a list")]
    [InlineData("null", "null")]
    [InlineData("\"x\"", "a string")]
    [InlineData("{}", "no pod")]
    [InlineData("""{"pod":7,"nodeNames":[]}""", "no pod")]
    [InlineData("""{"pod":{}}""", "neither nodes nor nodeNames")]
    [InlineData("""{"pod":{},"nodeNames":{}}""", "nodeNames are an object")]
    [InlineData("""{"pod":{},"nodeNames":["a",""]}""", "nodeNames hold one without a name")]
    [InlineData("""{"pod":{},"nodeNames":[7]}""", "nodeNames hold one without a name")]
    [InlineData("""{"pod":{},"nodeNames":["\ud800"]}""", "not UTF-8")]
    [InlineData("""{"pod":{},"nodes":[]}""", "no NodeList")]
    [InlineData("""{"pod":{},"nodes":{"items":[{}]}}""", "nodes hold one without a name")]
    [InlineData("""{"pod":{},"nodes":{"items":[]},"nodeNames":[]}""", "both nodes and nodeNames")]
    [InlineData("""{"pod":{"metadata":{"uid":[1]}},"nodeNames":[]}""", "pod cannot be read")]
    [InlineData("""{"pod":{"spec":{"volumes":{}}},"nodeNames":[]}""", "pod cannot be read")]
    [InlineData("""{"pod":{"metadata":{"creationTimestamp":"yesterday"}},"nodeNames":[]}""", "pod cannot be read")]
    public async Task What_is_no_request_is_refused_with_a_sentence(string body, string sentence)
    {
        foreach (var path in new[] { WebhookPaths.Filter, WebhookPaths.Prioritize })
        {
            var (status, text) = await _world.PostAsync(path, body);
            Assert.Equal(HttpStatusCode.BadRequest, status);
            Assert.Contains(sentence, text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Too_much_is_refused_whether_it_is_announced_or_not()
    {
        var huge = new byte[(1 << 20) + 1];
        Array.Fill(huge, (byte)' ');
        var (status, text) = await _world.PostAsync(WebhookPaths.Filter, huge);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("nodeCacheCapable", text, StringComparison.Ordinal);
        using var unannounced = new StreamContent(new NoLengthStream(huge));
        try
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await _world.PostAsync(WebhookPaths.Filter, unannounced)).Status);
        }
        catch (HttpRequestException exception)
        {
            // The connection is closed after the answer, which a client that still writes may not get to read.
            Assert.IsType<IOException>(exception.InnerException, exactMatch: false);
        }

        Assert.Equal(
            HttpStatusCode.BadRequest, (await _world.PostAsync(WebhookPaths.Filter, new string('[', 100_000))).Status);
    }

    [Fact]
    public async Task No_bytes_bring_it_down()
    {
        var request = Encoding.UTF8.GetBytes(new JsonObject
        {
            ["pod"] = ExtenderWorld.Pod("pod", "data", "logs"),
            ["nodeNames"] = new JsonArray("node-1"),
        }.ToJsonString());
        await Gen.Select(Gen.Int[0, request.Length - 1], Gen.Byte, Gen.Int[0, 3]).SampleAsync(
            async (at, value, how) =>
            {
                var broken = how == 0 ? request[..at] : [.. request];
                if (how > 0)
                {
                    broken[at] = value;
                }

                var (status, text) = await _world.PostAsync(WebhookPaths.Filter, broken);
                Assert.True(status is HttpStatusCode.OK or HttpStatusCode.BadRequest, $"{status} {text}");
            },
            iter: 300,
            threads: 2);
    }

    [Fact]
    public async Task Its_own_failure_is_told_in_the_field_that_schedulers_log()
    {
        _world.Ledgers.Disturb = _ => throw new InvalidOperationException("secret");
        var answer = await _world.AskAsync(WebhookPaths.Filter, ExtenderWorld.Pod("pod", "data"));
        Assert.StartsWith("carina: what is left on the nodes cannot be read", answer["error"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Null(answer["nodeNames"]);
        var (status, text) = await _world.PostAsync(WebhookPaths.Prioritize, RequestOf("data"));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, false), (status, text.Contains("secret", StringComparison.Ordinal)));

        // Nothing of it is kept.
        _world.Ledgers.Disturb = null;
        Assert.Equal("node-1 node-2 node-3", await _world.FilterAsync(ExtenderWorld.Pod("pod", "data")));
    }

    [Fact]
    public async Task Silent_ledgers_are_waited_for_only_so_long()
    {
        var asked = new TaskCompletionSource();
        _world.Ledgers.Disturb = stop =>
        {
            asked.TrySetResult();
            return Task.Delay(Timeout.InfiniteTimeSpan, stop);
        };
        var answer = _world.AskAsync(WebhookPaths.Filter, ExtenderWorld.Pod("pod", "data"));
        await asked.Task;
        _world.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.Contains("did not answer within 4 s", (await answer)["error"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_claim_that_nobody_knows_is_an_error_and_not_a_guess()
    {
        var answer = await _world.AskAsync(WebhookPaths.Filter, ExtenderWorld.Pod("pod", "missing"));
        Assert.Contains("claim team/missing is not known here yet", answer["error"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Until_all_claims_are_known_nothing_is_said()
    {
        var synced = new TaskCompletionSource();
        _world.Claims.Synced = synced.Task;
        var answer = _world.FilterAsync(ExtenderWorld.Pod("pod", "data"));
        Assert.False(answer.IsCompleted);
        synced.SetResult();
        Assert.Equal("node-1 node-2 node-3", await answer);
    }

    private static string RequestOf(string claim) =>
        new JsonObject { ["pod"] = ExtenderWorld.Pod("pod", claim), ["nodeNames"] = new JsonArray("node-1") }.ToJsonString();

    /// <summary>A stream whose length nobody can ask for, so that it is sent in chunks.</summary>
    private sealed class NoLengthStream(byte[] content) : MemoryStream(content)
    {
        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();
    }
}
