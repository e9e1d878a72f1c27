using Microsoft.Extensions.Logging;

namespace Carina.CsiGateway.DevicePlugin;

/// <content>Log messages.</content>
internal sealed partial class DevicePlugins
{
    [LoggerMessage(1, LogLevel.Information, "The kubelet counts {Resource} ({Socket})")]
    private partial void LogRegistered(string resource, string socket);

    [LoggerMessage(2, LogLevel.Warning, "The kubelet cannot be told of {Resource}: {Reason}; tries again")]
    private partial void LogNotOffered(string resource, string reason);

    [LoggerMessage(3, LogLevel.Information, "There is no kubelet at {Socket}; its node shows no capacity until there is")]
    private partial void LogNoKubelet(string socket);

    [LoggerMessage(4, LogLevel.Warning, "The capacity of node {Node} is not known ({Reason}); the kubelet keeps what it was told")]
    private partial void LogUnknown(string node, string reason);
}
