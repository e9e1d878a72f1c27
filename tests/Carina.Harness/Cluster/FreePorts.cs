using System.Net;
using System.Net.Sockets;

namespace Carina.Harness.Cluster;

/// <summary>Finds loopback ports that nobody listens at.</summary>
internal static class FreePorts
{
    // Below the range that the kernel takes for outgoing connections (ip_local_port_range: 32768 and up).
    private const int First = 20000;
    private const int Last = 32000;

    public static IReadOnlyList<int> Find(int count)
    {
        var found = new HashSet<int>();
        while (found.Count < count)
        {
            var port = Random.Shared.Next(First, Last);
            if (!found.Contains(port) && IsFree(port))
            {
                found.Add(port);
            }
        }

        return [.. found];
    }

    private static bool IsFree(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
