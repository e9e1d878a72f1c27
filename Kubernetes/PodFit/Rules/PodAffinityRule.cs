using Carina.Kubernetes.PodFit.Cluster;
using Carina.Kubernetes.PodFit.Matching;
using k8s.Models;

namespace Carina.Kubernetes.PodFit.Rules;

/// <summary>The pods that it requires are near, and no pod that it, or that itself, wants far.</summary>
internal sealed class PodAffinityRule : INodeRule
{
    private readonly string _problem = "";
    private readonly List<PodTerm> _near;
    private readonly List<PodTerm> _far;
    private readonly TopologyCounts _wanted = new();
    private readonly TopologyCounts _unwanted = new();
    private readonly List<(PodTerm Term, NodeView Node, V1Pod Pod)> _unwanting = [];
    private readonly bool _wantsItsLike;

    public PodAffinityRule(Replacement replacement, Landscape landscape)
    {
        var affinity = replacement.Pod.Spec?.Affinity;
        var near = PodTerm.Read(replacement, affinity?.PodAffinity?.RequiredDuringSchedulingIgnoredDuringExecution);
        var far = PodTerm.Read(replacement, affinity?.PodAntiAffinity?.RequiredDuringSchedulingIgnoredDuringExecution);
        if (near is null || far is null)
        {
            _problem = $"can't be judged: a selector in spec.affinity.{(near is null ? "podAffinity" : "podAntiAffinity")} "
                + $"of pod {ObjectParts.Describe(replacement.Pod)} is malformed";
        }

        (_near, _far) = (near ?? [], far ?? []);
        _wantsItsLike = _near.TrueForAll(t => t.Matches(replacement.Pod, landscape));
        foreach (var node in landscape.Nodes)
        {
            foreach (var pod in node.Pods)
            {
                Count(replacement, landscape, node, pod);
            }
        }
    }

    public string ObstacleOn(NodeView node)
    {
        if (_problem.Length > 0)
        {
            return _problem;
        }

        if (!IsNear(node))
        {
            return "didn't match pod affinity rules";
        }

        if (_far.Exists(t => _unwanted.Of(t.TopologyKey, node) > 0))
        {
            return "didn't match pod anti-affinity rules";
        }

        var objector = _unwanting.Find(u =>
            u.Node.Labels.TryGetValue(u.Term.TopologyKey, out var theirs)
            && node.Labels.TryGetValue(u.Term.TopologyKey, out var ours)
            && theirs == ours).Pod;
        return objector is null
            ? ""
            : $"didn't satisfy existing pods anti-affinity rules (of pod {ObjectParts.Describe(objector)})";
    }

    private void Count(Replacement replacement, Landscape landscape, NodeView node, V1Pod pod)
    {
        // A pod counts where it is what all terms want; each term then says for itself what near is.
        if (_near.Count > 0 && _near.TrueForAll(t => t.Matches(pod, landscape)))
        {
            _near.ForEach(t => _wanted.Add(t.TopologyKey, node, 1));
        }

        foreach (var term in _far.Where(t => t.Matches(pod, landscape)))
        {
            _unwanted.Add(term.TopologyKey, node, 1);
        }

        var theirs = PodTerm.Read(pod, pod.Spec?.Affinity?.PodAntiAffinity?.RequiredDuringSchedulingIgnoredDuringExecution);
        foreach (var term in theirs ?? [])
        {
            if (term.Matches(replacement.Namespace, replacement.Labels, landscape))
            {
                _unwanting.Add((term, node, pod));
            }
        }
    }

    private bool IsNear(NodeView node)
    {
        if (!_near.TrueForAll(t => node.Labels.ContainsKey(t.TopologyKey)))
        {
            return false;
        }

        // The first pod of a series wants to be near its like, and there is none yet: it may go anywhere.
        return _near.TrueForAll(t => _wanted.Of(t.TopologyKey, node) > 0) || (_wanted.IsEmpty && _wantsItsLike);
    }
}
