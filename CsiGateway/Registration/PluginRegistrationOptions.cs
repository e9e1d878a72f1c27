using Carina.CsiGateway.Transport.Sockets;
using Carina.Grains;
using Carina.Grains.Errors;
using Microsoft.Extensions.Options;

namespace Carina.CsiGateway.Registration;

/// <summary>How the driver introduces itself to the kubelet of its node.</summary>
public sealed class PluginRegistrationOptions
{
    /// <summary>
    /// The socket that the kubelet finds, as this process sees it: anywhere below the kubelet's <c>plugins_registry</c>. Its
    /// name must not begin with a dot, or the kubelet ignores it.
    /// </summary>
    public string Socket { get; set; } = $"/registration/{CarinaNames.Driver}-reg.sock";

    /// <summary>The driver's own socket, as this process sees it. Registration waits until it is served.</summary>
    public string CsiSocket { get; set; } = "/csi/csi.sock";

    /// <summary>The driver's own socket, as the kubelet sees it: a path on the host.</summary>
    public string Endpoint { get; set; } = $"/var/lib/kubelet/plugins/{CarinaNames.Driver}/csi.sock";

    /// <summary>Name to register.</summary>
    public string DriverName { get; set; } = CarinaNames.Driver;

    /// <summary>Pause after the first refusal; each further one doubles it.</summary>
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest pause between two attempts.</summary>
    public TimeSpan LongestRetryDelay { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How often to look whether the socket is still in its place.</summary>
    public TimeSpan CheckInterval { get; set; } = TimeSpan.FromSeconds(10);

    internal sealed class Validator : IValidateOptions<PluginRegistrationOptions>
    {
        public ValidateOptionsResult Validate(string? name, PluginRegistrationOptions options)
        {
            var failures = new List<string>();
            CheckPath(nameof(Socket), options.Socket);
            CheckPath(nameof(CsiSocket), options.CsiSocket);
            CheckPath(nameof(Endpoint), options.Endpoint);
            if (Path.GetFileName(options.Socket).StartsWith('.'))
                failures.Add($"{nameof(Socket)} {options.Socket}: the kubelet ignores sockets whose name begins with a dot.");
            if (options.DriverName.Length == 0)
                failures.Add($"{nameof(DriverName)} is empty.");
            if (options.RetryDelay <= TimeSpan.Zero || options.LongestRetryDelay < options.RetryDelay)
                failures.Add($"{nameof(RetryDelay)} has to be positive and at most {nameof(LongestRetryDelay)}.");
            if (options.CheckInterval <= TimeSpan.Zero)
                failures.Add($"{nameof(CheckInterval)} has to be positive.");
            return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);

            void CheckPath(string option, string path)
            {
                try
                {
                    _ = new CsiSocketEndPoint(path);
                }
                catch (StorageException e)
                {
                    failures.Add($"{option}: {e.Message}");
                }
            }
        }
    }
}
