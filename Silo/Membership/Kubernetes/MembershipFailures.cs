using System.Text.Json;
using Carina.Kubernetes.Client;

namespace Carina.Silo.Membership.Kubernetes;

/// <summary>Says what stands in a silo's way and what an operator can do about it.</summary>
internal sealed class MembershipFailures(string ns)
{
    private const string Resource = $"{OrleansMembership.Plural}.{OrleansMembership.Group}";

    public InvalidOperationException Missing(string clusterId) => new(
        $"There is no {OrleansMembership.KindName} '{clusterId}' in namespace '{ns}'. It was deleted while the cluster ran, or the custom resource definition {Resource} was. A silo makes it anew when it starts: restart the driver's pods.");

    /// <summary>An explanation, where there is something to explain; otherwise null.</summary>
    public Exception? Explain(Exception exception, string verb, string clusterId, MembershipDocument? document = null)
    {
        var what = $"{verb} the {OrleansMembership.KindName} '{clusterId}' in namespace '{ns}'";
        if (exception.IsTooLarge())
        {
            var bytes = document is null ? 0 : JsonSerializer.SerializeToUtf8Bytes(document).Length;
            return new InvalidOperationException(
                $"Could not {what}: with {document?.Rows.Count ?? 0} rows ({bytes / 1024} KiB) it is larger than the API server takes (1.5 MiB by default). One cluster is meant for at most some 200 silos: give groups of nodes cluster ids of their own. ({exception.Describe()})",
                exception);
        }

        if (exception.IsNotFound())
        {
            return new InvalidOperationException(
                $"Could not {what}: {exception.Describe()}. Either the namespace or the custom resource definition {Resource} is missing. Helm installs the latter on the first installation only; apply the chart's directory crds/ with kubectl.",
                exception);
        }

        if (exception.IsForbidden())
        {
            return new UnauthorizedAccessException(
                $"Could not {what}: {exception.Describe()}. The silo's service account needs the verbs get, list, watch, create, update on {Resource} and get, list, watch, create, patch, delete on leases.coordination.k8s.io in this namespace; the chart's Role has them.",
                exception);
        }

        return exception.IsInvalid()
            ? new InvalidOperationException(
                $"Could not {what}: the API server finds it invalid: {exception.Describe()}. Is the custom resource definition {Resource} of another version than the driver?",
                exception)
            : null;
    }

    public Exception? ExplainLease(Exception exception) => exception.IsForbidden()
        ? new UnauthorizedAccessException(
            $"Could not renew this silo's heartbeat: {exception.Describe()}. The silo's service account needs the verbs get, list, watch, create, patch, delete on leases.coordination.k8s.io in namespace '{ns}'; the chart's Role has them.",
            exception)
        : null;
}
