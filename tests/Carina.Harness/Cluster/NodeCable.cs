using System.Net;
using Carina.Harness.Processes;

namespace Carina.Harness.Cluster;

/// <summary>What a node is cut off from, and in which direction packets are lost.</summary>
[Flags]
public enum Cut
{
    None = 0,

    /// <summary>What the node sends to the API server.</summary>
    ToApi = 1,

    /// <summary>What the API server sends to the node.</summary>
    FromApi = 2,

    /// <summary>What the node sends to other silos.</summary>
    ToPeers = 4,

    /// <summary>What other silos send to the node.</summary>
    FromPeers = 8,

    Api = ToApi | FromApi,
    Peers = ToPeers | FromPeers,
    All = Api | Peers,

    /// <summary>It hears everybody and nobody hears it.</summary>
    Outgoing = ToApi | ToPeers,
}

/// <summary>
/// A network namespace for one node's processes, on a cable of its own to everybody else. A cut loses packets without a
/// word, as a switch that is off does: frames go to an address that nobody has.
/// </summary>
public sealed class NodeCable : IAsyncDisposable
{
    // Benchmarking of networks (RFC 2544): nobody routes there.
    private const string Prefix = "198.18.";
    private const string Inner = "eth0";
    private const string Nobody = "02:00:00:00:00:99";
    private const int MaxTries = 20;

    private readonly string _outer;
    private readonly int _net;

    private NodeCable(string nodeName, int net) => (NodeName, _net, _outer) = (nodeName, net, $"carina{net}");

    public string NodeName { get; }

    /// <summary>Where the node finds the API server.</summary>
    public IPAddress Api => Address(1);

    /// <summary>Where the node finds other silos.</summary>
    public IPAddress Peers => Address(5);

    /// <summary>Where other silos find the node.</summary>
    public IPAddress Node => Address(6);

    /// <summary>What is lost now.</summary>
    public Cut Now { get; private set; }

    /// <summary>What a program of the node is started by, with its arguments.</summary>
    public IReadOnlyList<string> Under => ["nsenter", $"--net=/run/netns/{_outer}"];

    private IPAddress NodeToApi => Address(2);

    /// <summary>Lays it. Needs <c>CAP_NET_ADMIN</c> and <c>CAP_SYS_ADMIN</c>.</summary>
    public static async Task<NodeCable> LayAsync(string nodeName, CancellationToken cancellationToken)
    {
        for (var i = 0; ; i++)
        {
            var cable = new NodeCable(nodeName, Random.Shared.Next(1, 255));
            var made = await Command.TryRunAsync("ip", ["netns", "add", cable._outer], cancellationToken);
            if (made.ExitCode != 0 && i < MaxTries)
            {
                // Another test's.
                continue;
            }

            try
            {
                await cable.ConnectAsync(cancellationToken);
                return cable;
            }
            catch
            {
                await cable.DisposeAsync();
                throw;
            }
        }
    }

    /// <summary>Loses exactly this from now on.</summary>
    public async Task CutAsync(Cut cut, CancellationToken cancellationToken)
    {
        var (inner, outer) = (await MacAsync(inside: true, cancellationToken), await MacAsync(inside: false, cancellationToken));
        await PointAsync(inside: true, Api, cut.HasFlag(Cut.ToApi) ? Nobody : outer, cancellationToken);
        await PointAsync(inside: true, Peers, cut.HasFlag(Cut.ToPeers) ? Nobody : outer, cancellationToken);
        await PointAsync(inside: false, NodeToApi, cut.HasFlag(Cut.FromApi) ? Nobody : inner, cancellationToken);
        await PointAsync(inside: false, Node, cut.HasFlag(Cut.FromPeers) ? Nobody : inner, cancellationToken);
        Now = cut;
    }

    // The namespace takes its end of the cable with it, and that the other.
    public async ValueTask DisposeAsync() =>
        await Command.TryRunAsync("ip", ["netns", "delete", _outer], CancellationToken.None);

    private async Task ConnectAsync(CancellationToken cancellationToken)
    {
        await IpAsync(inside: false, ["link", "add", _outer, "type", "veth", "peer", "name", Inner, "netns", _outer], cancellationToken);
        await UpAsync(inside: false, _outer, [Api, Peers], cancellationToken);
        await UpAsync(inside: true, Inner, [NodeToApi, Node], cancellationToken);
        await IpAsync(inside: true, ["link", "set", "lo", "up"], cancellationToken);
        await CutAsync(Cut.None, cancellationToken);
    }

    private async Task UpAsync(bool inside, string device, IReadOnlyList<IPAddress> addresses, CancellationToken cancellationToken)
    {
        foreach (var address in addresses)
        {
            await IpAsync(inside, ["address", "add", $"{address}/30", "dev", device], cancellationToken);
        }

        await IpAsync(inside, ["link", "set", device, "up"], cancellationToken);
    }

    private Task<string> PointAsync(bool inside, IPAddress address, string mac, CancellationToken cancellationToken) => IpAsync(
        inside,
        ["neighbour", "replace", address.ToString(), "lladdr", mac, "dev", inside ? Inner : _outer, "nud", "permanent"],
        cancellationToken);

    private async Task<string> MacAsync(bool inside, CancellationToken cancellationToken)
    {
        var words = (await IpAsync(inside, ["-oneline", "link", "show", inside ? Inner : _outer], cancellationToken)).Split(' ');
        return words[Array.IndexOf(words, "link/ether") + 1];
    }

    private Task<string> IpAsync(bool inside, IReadOnlyList<string> arguments, CancellationToken cancellationToken) =>
        Command.RunAsync("ip", inside ? ["-netns", _outer, .. arguments] : arguments, cancellationToken);

    private IPAddress Address(int last) => IPAddress.Parse($"{Prefix}{_net}.{last}");
}
