using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Carina.Harness.Kubernetes;
using k8s;
using k8s.Models;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Carina.E2E.Tests.Kubernetes;

/// <summary>What a driver adds to a cluster: webhooks, resources of its own, capacities.</summary>
[Collection(ControlPlaneCollection.Name)]
public sealed class ExtensionTests(ControlPlaneFixture fixture) : ControlPlaneTest(fixture)
{
    [Fact]
    public async Task A_mutating_webhook_on_loopback_is_asked()
    {
        await using var server = await StartWebhookAsync();
        var name = Namespace + ".lab.test";
        await Admin.AdmissionregistrationV1.CreateMutatingWebhookConfigurationAsync(
            Webhook(name, server.Urls.Single()), cancellationToken: Stop);
        try
        {
            var map = await Eventually.ReadAsync(
                "the webhook to be asked",
                () => Admin.CoreV1.CreateNamespacedConfigMapAsync(
                    new() { Metadata = new() { GenerateName = "seen-" } }, Namespace, cancellationToken: Stop),
                created => created.Labels()?.ContainsKey("seen") == true,
                Stop);
            Assert.Equal("yes", map.Labels()["seen"]);
        }
        finally
        {
            await Admin.AdmissionregistrationV1.DeleteMutatingWebhookConfigurationAsync(name, cancellationToken: Stop);
        }
    }

    [Fact]
    public async Task Resources_of_a_drivers_own_can_be_defined_and_made()
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, Definition, Stop);
            await Plane.ApplyAsync(file);
            await Plane.KubectlAsync("wait", "--for=condition=established", "--timeout=30s", "crd/things.lab.test");
            await File.WriteAllTextAsync(file, Thing, Stop);
            await Eventually.ReadAsync(
                "kubectl to know the resource",
                async () => await Plane.KubectlAsync("api-resources", "--api-group=lab.test", "--output=name"),
                names => names.Contains("things.lab.test", StringComparison.Ordinal),
                Stop);
            await Plane.ApplyAsync(file);
            Assert.Equal("7", await Plane.KubectlAsync("get", "thing", "one", "--output=jsonpath={.spec.size}"));
        }
        finally
        {
            await Plane.KubectlAsync("delete", "crd", "things.lab.test", "--ignore-not-found");
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Capacities_can_be_published()
    {
        var version = Plane.Minor switch
        {
            <= 20 => "v1alpha1",
            <= 23 => "v1beta1",
            _ => "v1",
        };
        var answer = await Plane.KubectlAsync("get", "--raw", $"/apis/storage.k8s.io/{version}/csistoragecapacities");
        Assert.Contains("CSIStorageCapacityList", answer, StringComparison.Ordinal);
    }

    private V1MutatingWebhookConfiguration Webhook(string name, string url) => new()
    {
        Metadata = new() { Name = name },
        Webhooks =
        [
            new()
            {
                Name = name,
                AdmissionReviewVersions = ["v1"],
                SideEffects = "None",
                FailurePolicy = "Fail",
                ClientConfig = new() { Url = url, CaBundle = Encoding.ASCII.GetBytes(Plane.Keys.AuthorityPem) },
                NamespaceSelector = new()
                {
                    MatchLabels = new Dictionary<string, string> { ["lab.test/namespace"] = Namespace },
                },
                Rules =
                [
                    new() { ApiGroups = [""], ApiVersions = ["v1"], Operations = ["CREATE"], Resources = ["configmaps"] },
                ],
            },
        ],
    };

    private async Task<WebApplication> StartWebhookAsync()
    {
        await Admin.CoreV1.PatchNamespaceAsync(
            new(
                new V1Namespace
                {
                    Metadata = new() { Labels = new Dictionary<string, string> { ["lab.test/namespace"] = Namespace } },
                },
                V1Patch.PatchType.MergePatch),
            Namespace,
            cancellationToken: Stop);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(
            IPAddress.Loopback,
            0,
            listen => listen.UseHttps(
                X509Certificate2.CreateFromPemFile(Plane.Keys.ServingCertificatePath, Plane.Keys.ServingKeyPath))));
        var server = builder.Build();
        server.MapPost("/", AnswerAsync);
        await server.StartAsync(Stop);
        return server;
    }

    private static async Task AnswerAsync(HttpContext context)
    {
        var review = await JsonNode.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
        var patch = """[{"op":"add","path":"/metadata/labels","value":{"seen":"yes"}}]""";
        await context.Response.WriteAsJsonAsync(new
        {
            apiVersion = "admission.k8s.io/v1",
            kind = "AdmissionReview",
            response = new
            {
                uid = review!["request"]!["uid"]!.GetValue<string>(),
                allowed = true,
                patchType = "JSONPatch",
                patch = Convert.ToBase64String(Encoding.UTF8.GetBytes(patch)),
            },
        });
    }

    private const string Definition = """
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata:
          name: things.lab.test
        spec:
          group: lab.test
          scope: Cluster
          names: { kind: Thing, plural: things, singular: thing }
          versions:
            - name: v1
              served: true
              storage: true
              schema:
                openAPIV3Schema:
                  type: object
                  properties:
                    spec: { type: object, properties: { size: { type: integer } } }
        """;

    private const string Thing = """
        apiVersion: lab.test/v1
        kind: Thing
        metadata:
          name: one
        spec:
          size: 7
        """;
}
