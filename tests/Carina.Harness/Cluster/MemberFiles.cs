using System.Globalization;
using System.Net;
using System.Text.Json;
using Carina.Harness.Policies;

namespace Carina.Harness.Cluster;

/// <summary>Writes what a member's process reads, and says how it is started.</summary>
internal sealed class MemberFiles(ClusterOptions options, string directory)
{
    private static readonly JsonSerializerOptions _indented = new() { WriteIndented = true };

    public string StateFile => Path.Combine(directory, "state.db");

    public static string LogDirectory(string directory) => Path.Combine(directory, "logs");

    /// <param name="role">Value of <c>--role</c>.</param>
    /// <param name="name">Value of <c>--node-name</c>.</param>
    /// <param name="port">Port of the silo.</param>
    /// <param name="storage">The node's disks; null for the controller.</param>
    public MemberLaunch Write(string role, string name, int port, NodeStorage? storage)
    {
        var own = Path.Combine(directory, name);
        var config = Path.Combine(own, "config.json");
        var socket = Path.Combine(own, "csi.sock");
        var kubelet = ClusterNode.KubeletRoot(own);
        Directory.CreateDirectory(kubelet);
        File.WriteAllText(config, ToConfig(storage, options.Failover));
        var cabled = options.Cable?.NodeName == name;
        var address = (cabled ? options.Cable?.Node : options.Cable?.Peers) ?? IPAddress.Loopback;
        return new(
            options.SiloAssembly,
            [
                "--role", role,
                "--node-name", name,
                .. options.Kubernetes?.Arguments(role, name) ?? ["--state-file", StateFile],
                "--cluster-id", Path.GetFileName(directory),
                "--address", address.ToString(),
                "--port", port.ToString(CultureInfo.InvariantCulture),
                "--csi-socket", socket,
                "--config", config,
                "--path-roots", string.Join(':', [kubelet, .. options.MorePathRoots]),
                "--probe-timeout", options.ProbeTimeout.ToString("c", CultureInfo.InvariantCulture),
                "--state-directory", own,
                "--run-directory", ClusterNode.RunDirectory(own),
                "--max-volumes", options.MaxVolumesPerNode.ToString(CultureInfo.InvariantCulture),
                .. storage?.SiloArguments ?? [],
            ],
            new Dictionary<string, string>(options.Environment)
            {
                [LaboratoryMark.Variable] = directory,
                ["Logging__LogLevel__Microsoft.AspNetCore"] = "Warning",
                ["Logging__LogLevel__Orleans"] = "Warning",
                ["Logging__LogLevel__Polly"] = "Warning",
                ["Logging__Console__FormatterName"] = "simple",
                ["Logging__Console__FormatterOptions__SingleLine"] = "true",
                ["Logging__Console__FormatterOptions__TimestampFormat"] = "HH:mm:ss.fff ",
            },
            socket,
            Path.Combine(LogDirectory(directory), name + ".log"))
        {
            Under = cabled ? options.Cable!.Under : [],
        };
    }

    /// <summary>Content of <c>config.json</c>.</summary>
    public string ToConfig(NodeStorage? storage, string failover) => JsonSerializer.Serialize(
        new Dictionary<string, object>
        {
            ["diskSelector"] = storage is null ? Array.Empty<object>() : [ToGroup(storage)],
            ["diskScanInterval"] = "300",
            ["schedulerStrategy"] = options.Strategy,
            ["failover"] = JsonDocument.Parse(failover).RootElement,
        },
        _indented);

    private Dictionary<string, object> ToGroup(NodeStorage storage)
    {
        var group = new Dictionary<string, object>
        {
            ["name"] = options.Policy.Pool,
            ["re"] = storage.Patterns,
            ["policy"] = options.Policy.Name,
            ["nodeLabel"] = "kubernetes.io/hostname",
            ["reserve"] = options.Reserve,
        };
        if (options.Policy == StoragePolicy.Lvm)
        {
            group["minSize"] = "64Mi";
        }

        return group;
    }
}
