using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Carina.Harness.Kubernetes;
using Carina.Webhook.Tests.Certificates;

namespace Carina.Webhook.Tests.Hosting;

/// <summary>The webhook's port from outside. Certificates come from files; the API server is away.</summary>
public sealed class HttpTests : IAsyncLifetime
{
    private const string Service = "carina-controller.kube-system.svc";
    private readonly string _directory = Directory.CreateTempSubdirectory("carina-webhook-").FullName;
    private readonly HttpClient _client = WebhookHost.CreateClient();
    private WebhookHost? _host;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private Uri Path => new(_host!.Webhook, WebhookPaths.MutatePods);

    public async ValueTask InitializeAsync()
    {
        var kubeconfig = System.IO.Path.Combine(_directory, "kubeconfig");
        await File.WriteAllTextAsync(kubeconfig, NobodysKubeconfig, Stop);
        Write(new LegacySecret(Service, DateTimeOffset.UtcNow).Data);
        _host = await WebhookHost.StartAsync(kubeconfig, "kube-system", options =>
        {
            options.CertificateDirectory = _directory;
            options.FileCheckInterval = TimeSpan.FromMilliseconds(100);
        });
        await WaitForCertificateAsync(_ => true);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        if (_host is not null)
        {
            await _host.DisposeAsync();
        }

        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task A_review_is_answered_over_http_2()
    {
        using var response = await _client.PostAsync(Path, Json(Reviews.Of(Reviews.Pod()).ToJsonString()), Stop);
        Assert.Equal((HttpStatusCode.OK, HttpVersion.Version20), (response.StatusCode, response.Version));
        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        var answer = new Answer(System.Text.Json.Nodes.JsonNode.Parse(await response.Content.ReadAsStringAsync(Stop))!.AsObject());
        Assert.Equal((true, Reviews.Uid), (answer.Allowed, answer.Uid));
    }

    [Theory]
    [InlineData("", "not JSON")]
    [InlineData("{}", "review.kind")]
    public async Task What_is_no_review_is_a_bad_request_with_a_sentence(string body, string reason)
    {
        using var response = await _client.PostAsync(Path, Json(body), Stop);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains(reason, await response.Content.ReadAsStringAsync(Stop), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task More_than_three_mebibytes_are_too_many(bool saysLength)
    {
        var bytes = Encoding.UTF8.GetBytes("{\"kind\":\"" + new string('x', 3 << 20) + "\"}");
        using var content = saysLength ? (HttpContent)new ByteArrayContent(bytes) : new StreamContent(new Unseekable(bytes));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using var response = await _client.PostAsync(Path, content, Stop);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Contains("3145728", await response.Content.ReadAsStringAsync(Stop), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_large_pod_is_answered()
    {
        var pod = Reviews.Pod("foreign").WithAnnotation("big", new string('x', 1 << 20));
        using var response = await _client.PostAsync(Path, Json(Reviews.Of(pod).ToJsonString()), Stop);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task Other_content_and_methods_are_refused()
    {
        using var text = new StringContent("hello", Encoding.UTF8, "text/plain");
        using var wrong = await _client.PostAsync(Path, text, Stop);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, wrong.StatusCode);
        using var get = await _client.GetAsync(Path, Stop);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, get.StatusCode);
    }

    [Fact]
    public async Task Files_that_change_are_served_from_the_next_connection_on()
    {
        var next = new LegacySecret(Service, DateTimeOffset.UtcNow);
        Write(next.Modern());
        await WaitForCertificateAsync(thumbprint => thumbprint == next.Leaf.Thumbprint);

        // What cannot be used does not displace what can.
        Write(new LegacySecret("someone-else.svc", DateTimeOffset.UtcNow).Modern());
        await Eventually.ReadAsync(
            "the complaint", () => Task.FromResult(_host!.Obstacle), o => o.Length > 0, Stop);
        await WaitForCertificateAsync(thumbprint => thumbprint == next.Leaf.Thumbprint);
    }

    private async Task WaitForCertificateAsync(Func<string, bool> isRight) => await Eventually.ReadAsync(
        "the certificate",
        async () => (await _host!.ReadCertificateAsync())?.Thumbprint ?? "",
        t => t.Length > 0 && isRight(t),
        Stop);

    private void Write(Dictionary<string, byte[]> files)
    {
        foreach (var (name, bytes) in files)
        {
            File.WriteAllBytes(System.IO.Path.Combine(_directory, name), bytes);
        }
    }

    private static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    private const string NobodysKubeconfig = """
        apiVersion: v1
        kind: Config
        current-context: nobody
        clusters: [{ name: nobody, cluster: { server: "http://127.0.0.1:1" } }]
        users: [{ name: nobody, user: { token: none } }]
        contexts: [{ name: nobody, context: { cluster: nobody, user: nobody } }]
        """;

    private sealed class Unseekable(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}
