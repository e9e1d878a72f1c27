using System.Text;
using System.Text.Json;

namespace Carina.Harness.Kubernetes;

/// <summary>Writes kubeconfigs: one server, one token. JSON is YAML, too.</summary>
internal static class KubeconfigFile
{
    public static void Write(string path, Uri server, string authorityPem, string user, string token)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Config",
            ["current-context"] = "lab",
            ["clusters"] = Named("lab", "cluster", new()
            {
                ["server"] = server.GetLeftPart(UriPartial.Authority),
                ["certificate-authority-data"] = Convert.ToBase64String(Encoding.ASCII.GetBytes(authorityPem)),
            }),
            ["users"] = Named(user, "user", new() { ["token"] = token }),
            ["contexts"] = Named("lab", "context", new() { ["cluster"] = "lab", ["user"] = user }),
        }));
    }

    private static Dictionary<string, object>[] Named(string name, string kind, Dictionary<string, string> fields) =>
        [new() { ["name"] = name, [kind] = fields }];
}
