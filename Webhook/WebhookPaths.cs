namespace Carina.Webhook;

/// <summary>Paths that the API server and the scheduler call.</summary>
public static class WebhookPaths
{
    /// <summary>Mutates pods at creation, as in Carina 0.9 to 0.14.</summary>
    public const string MutatePods = "/pod/mutate";

    /// <summary>Scheduler extender: removes nodes where a pod's volumes cannot be made.</summary>
    public const string Filter = "/scheduler/filter";

    /// <summary>Scheduler extender: scores nodes by strategy.</summary>
    public const string Prioritize = "/scheduler/prioritize";
}
