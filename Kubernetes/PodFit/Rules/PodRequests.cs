using Carina.Kubernetes.PodFit.Cluster;
using k8s.Models;

namespace Carina.Kubernetes.PodFit.Rules;

/// <summary>What a pod takes of a node.</summary>
internal static class PodRequests
{
    /// <summary>What a pod will take that is to be made.</summary>
    public static Amounts OfNew(V1Pod pod) => Of(pod, (_, requests) => requests);

    /// <summary>
    /// What a pod takes that is there. While it is resized in place, that is the most of what it wants, was promised
    /// and has.
    /// </summary>
    public static Amounts OfPlaced(V1Pod pod)
    {
        var statuses = pod.Status?.ContainerStatuses.Items().Concat(pod.Status.InitContainerStatuses.Items())
            .Where(s => s.Resources is not null).ToList() ?? [];
        var isRefused = pod.Status?.Conditions.Items().FirstOrDefault(c => c.Type == "PodResizePending")?.Reason == "Infeasible";
        return Of(pod, (container, requests) =>
        {
            if (statuses.Find(s => s.Name == container.Name) is not { } status)
            {
                return requests;
            }

            // What can never be had is not waited for.
            var most = isRefused ? new Amounts() : requests;
            var field = $"status.containerStatuses[{container.Name}]";
            most.RaiseTo(Amounts.Read(status.Resources.Requests, field + ".resources.requests"));
            most.RaiseTo(Amounts.Read(status.AllocatedResources, field + ".allocatedResources"));
            return most;
        });
    }

    private static Amounts Of(V1Pod pod, Func<V1Container, Amounts, Amounts> adjust)
    {
        var spec = pod.Spec;
        var total = new Amounts();
        foreach (var container in spec?.Containers.Items() ?? [])
        {
            total.Add(adjust(container, RequestsOf("containers", container)));
        }

        // One after another, each beside the sidecars that were started before it.
        var start = new Amounts();
        var sidecars = new Amounts();
        foreach (var container in spec?.InitContainers.Items() ?? [])
        {
            var need = RequestsOf("initContainers", container);
            if (ObjectParts.IsSidecar(container))
            {
                need = adjust(container, need);
                total.Add(need);
                sidecars.Add(need);
                start.RaiseTo(sidecars);
            }
            else
            {
                need.Add(sidecars);
                start.RaiseTo(need);
            }
        }

        total.RaiseTo(start);

        // What is said of the whole pod counts instead, for the resources of which it can be said.
        var whole = Amounts.Read(spec?.Resources?.Requests, "spec.resources.requests");
        foreach (var name in whole.Names.Where(IsOfWholePods))
        {
            total[name] = whole[name];
        }

        total.NoteMalformed(whole.MalformedField);
        total.Add(Amounts.Read(spec?.Overhead, "spec.overhead"));
        return total;
    }

    private static Amounts RequestsOf(string list, V1Container container) =>
        Amounts.Read(container.Resources?.Requests, $"spec.{list}[{container.Name}].resources.requests");

    private static bool IsOfWholePods(string name) =>
        name is "cpu" or "memory" || name.StartsWith("hugepages-", StringComparison.Ordinal);
}
