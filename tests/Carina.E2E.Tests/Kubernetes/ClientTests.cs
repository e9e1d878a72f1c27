using Carina.Harness;

namespace Carina.E2E.Tests.Kubernetes;

/// <summary>kubectl and helm against the laboratory's API server.</summary>
[Collection(ControlPlaneCollection.Name)]
public sealed class ClientTests(ControlPlaneFixture fixture) : ControlPlaneTest(fixture)
{
    private const string ConfigMap = """
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: {{ .Release.Name }}
        data:
          value: {{ .Values.value | quote }}
        """;

    private readonly string _chart = Directory.CreateTempSubdirectory("carina-chart-").FullName;

    public override async ValueTask DisposeAsync()
    {
        Directory.Delete(_chart, recursive: true);
        await base.DisposeAsync();
    }

    [Fact]
    public async Task Kubectl_applies_a_file()
    {
        var file = Path.Combine(_chart, "map.yaml");
        await File.WriteAllTextAsync(
            file,
            $$"""
            apiVersion: v1
            kind: ConfigMap
            metadata:
              name: applied
              namespace: {{Namespace}}
            data:
              key: value
            """,
            Stop);
        await Plane.ApplyAsync(file);
        Assert.Equal(
            "value", await Plane.KubectlAsync("get", "configmap", "applied", "-n", Namespace, "-o", "jsonpath={.data.key}"));
    }

    [Fact]
    public async Task Helm_renders_a_chart_and_the_server_accepts_it()
    {
        await WriteChartAsync(ConfigMap);
        var rendered = await Plane.HelmAsync("template", "first", _chart, "--set", "value=rendered");
        Assert.Contains("value: \"rendered\"", rendered, StringComparison.Ordinal);
        var dry = await Plane.HelmAsync("install", "first", _chart, "-n", Namespace, "--dry-run=server");
        Assert.Contains("value: \"default\"", dry, StringComparison.Ordinal);
        Assert.Equal("", await Plane.KubectlAsync("get", "configmap", "first", "-n", Namespace, "--ignore-not-found"));

        await Plane.HelmAsync("install", "first", _chart, "-n", Namespace);
        Assert.Equal(
            "default", await Plane.KubectlAsync("get", "configmap", "first", "-n", Namespace, "-o", "jsonpath={.data.value}"));
        await Plane.HelmAsync("uninstall", "first", "-n", Namespace);
    }

    [Fact]
    public async Task Helm_shows_what_the_server_refuses()
    {
        await WriteChartAsync(ConfigMap.Replace("data:", "data: 7 #", StringComparison.Ordinal));
        await Assert.ThrowsAsync<HarnessException>(
            () => Plane.HelmAsync("install", "bad", _chart, "-n", Namespace, "--dry-run=server"));
    }

    private async Task WriteChartAsync(string template)
    {
        Directory.CreateDirectory(Path.Combine(_chart, "templates"));
        await File.WriteAllTextAsync(
            Path.Combine(_chart, "Chart.yaml"), "apiVersion: v2\nname: trivial\nversion: 0.1.0\n", Stop);
        await File.WriteAllTextAsync(Path.Combine(_chart, "values.yaml"), "value: default\n", Stop);
        await File.WriteAllTextAsync(Path.Combine(_chart, "templates", "map.yaml"), template, Stop);
    }
}
