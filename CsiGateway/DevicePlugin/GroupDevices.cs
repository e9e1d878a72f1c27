using System.Globalization;
using Carina.CsiGateway.DevicePlugin.Protocol;

namespace Carina.CsiGateway.DevicePlugin;

/// <summary>
/// A group's GiB as devices, which is how a kubelet counts: all of them are the capacity, the healthy ones what can be
/// had. Its numbers are what <c>kubectl describe node</c> shows.
/// </summary>
internal sealed class GroupDevices
{
    /// <summary>As many as fit the 4 MiB that a kubelet takes in one message; a larger group shows this many GiB.</summary>
    public const int Most = 150_000;

    private const long GiB = 1L << 30;

    private readonly Lock _lock = new();
    private (long Size, long Available) _gibibytes;
    private TaskCompletionSource _changed = NewSignal();

    /// <summary>Takes in the group's size and what is left of it, in bytes; rounded down to whole GiB.</summary>
    public void Show(long sizeBytes, long availableBytes)
    {
        var size = Math.Clamp(sizeBytes / GiB, 0, Most);
        var shown = (size, Math.Clamp(availableBytes / GiB, 0, size));
        TaskCompletionSource changed;
        lock (_lock)
        {
            if (shown == _gibibytes)
            {
                return;
            }

            _gibibytes = shown;
            (changed, _changed) = (_changed, NewSignal());
        }

        changed.SetResult();
    }

    /// <summary>The devices now, and what completes when they are others.</summary>
    public (ListAndWatchResponse Devices, Task Changed) Read()
    {
        lock (_lock)
        {
            var (size, available) = _gibibytes;
            var response = new ListAndWatchResponse();
            response.Devices.Capacity = (int)size;
            for (var i = 1; i <= size; i++)
            {
                response.Devices.Add(new Device
                {
                    ID = i.ToString(CultureInfo.InvariantCulture),
                    Health = i <= available ? "Healthy" : "Unhealthy",
                });
            }

            return (response, _changed.Task);
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
