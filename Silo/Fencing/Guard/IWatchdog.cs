using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Fencing.Guard;

/// <summary>What restarts the machine when it is not told in time that all is well.</summary>
internal interface IWatchdog
{
    /// <summary>It restarts the machine when nobody says that all is well.</summary>
    bool IsArmed { get; }

    /// <summary>All is well for now.</summary>
    void Pet();

    /// <summary>Nobody goes on to say so, and that is as it should be.</summary>
    void Disarm();
}

/// <summary>Where there is none, or it is somebody else's.</summary>
internal sealed class NoWatchdog : IWatchdog
{
    public bool IsArmed => false;

    public void Pet()
    {
    }

    public void Disarm()
    {
    }
}

/// <summary>The kernel's (Documentation/watchdog/watchdog-api.rst). It is armed by being opened.</summary>
internal sealed class KernelWatchdog : IWatchdog, IDisposable
{
    // Without this as last word, closing the device leaves it armed (a process that crashed must not disarm it).
    private const byte MagicClose = (byte)'V';

    private readonly SafeFileHandle _device;

    /// <exception cref="IOException">There is none, or somebody else has it.</exception>
    public KernelWatchdog(string path) => _device = File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);

    public bool IsArmed => !_device.IsClosed;

    public void Pet() => RandomAccess.Write(_device, [0], 0);

    public void Disarm()
    {
        if (_device.IsClosed)
            return;

        RandomAccess.Write(_device, [MagicClose], 0);
        _device.Dispose();
    }

    public void Dispose() => _device.Dispose();
}
