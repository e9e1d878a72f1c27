using System.Threading.Channels;
using Carina.CsiGateway.Registration.Protocol;
using Grpc.Core;

namespace Carina.CsiGateway.Registration;

/// <summary>Answers the kubelet. What it says about the registration is passed on through <paramref name="verdicts"/>.</summary>
internal sealed class RegistrationService(
    PluginRegistrationOptions options, ChannelWriter<RegistrationStatus> verdicts) : Protocol.Registration.RegistrationBase
{
    // What the kubelet calls a CSI driver, and the version of the CSI it speaks to one.
    private const string PluginType = "CSIPlugin";
    private const string CsiVersion = "1.0.0";

    public override Task<PluginInfo> GetInfo(InfoRequest request, ServerCallContext context) => Task.FromResult(new PluginInfo
    {
        Type = PluginType,
        Name = options.DriverName,
        Endpoint = options.Endpoint,
        SupportedVersions = { CsiVersion },
    });

    public override Task<RegistrationStatusResponse> NotifyRegistrationStatus(
        RegistrationStatus request, ServerCallContext context)
    {
        // A verdict may end this server: the kubelet gets its answer first.
        context.GetHttpContext().Response.OnCompleted(() => verdicts.WriteAsync(request, CancellationToken.None).AsTask());
        return Task.FromResult(new RegistrationStatusResponse());
    }
}
