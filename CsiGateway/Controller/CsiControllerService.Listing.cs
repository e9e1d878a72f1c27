using Carina.CsiGateway.Validation;
using Carina.Grains.Volumes;
using Csi.V1;
using Grpc.Core;

namespace Carina.CsiGateway.Controller;

/// <content>Looking at volumes.</content>
internal sealed partial class CsiControllerService
{
    /// <summary>
    /// Most entries and bytes of one page. Callers receive at most 4 MiB by default (gRPC), and a volume can be some
    /// KiB; sidecars follow the token.
    /// </summary>
    internal const int MaxPageEntries = 1000;

    internal const int MaxPageBytes = 3 << 20;

    private const int ConditionsAtATime = 32;

    public override async Task<ListVolumesResponse> ListVolumes(ListVolumesRequest request, ServerCallContext context)
    {
        if (request.MaxEntries < 0)
        {
            throw Refusal.Invalid("max_entries", $"is {request.MaxEntries}; it cannot be negative (0 means no limit).");
        }

        var after = PageToken.Read(request.StartingToken);
        var limit = request.MaxEntries is 0 or > MaxPageEntries ? MaxPageEntries : request.MaxEntries;
        var catalog = grains.GetGrain<IVolumeCatalogGrain>(0);

        // One more than the page holds tells whether there is another page.
        var found = await catalog.ListAsync(after, limit + 1, context.CancellationToken);
        var page = found.Take(limit).ToList();
        var problems = await GetProblemsAsync(catalog, page, context.CancellationToken);
        var response = new ListVolumesResponse();
        var bytes = 0;
        for (var i = 0; i < page.Count && bytes < MaxPageBytes; i++)
        {
            var entry = new ListVolumesResponse.Types.Entry
            {
                Volume = VolumeTranslation.ToVolume(page[i]),
                Status = new()
                {
                    PublishedNodeIds = { page[i].PublishedNodes.Keys },
                    VolumeCondition = VolumeTranslation.ToCondition(problems[i]),
                },
            };
            bytes += entry.CalculateSize();
            response.Entries.Add(entry);
        }

        if (response.Entries.Count < found.Count)
        {
            response.NextToken = PageToken.After(response.Entries[^1].Volume.VolumeId);
        }

        return response;
    }

    public override async Task<ControllerGetVolumeResponse> ControllerGetVolume(
        ControllerGetVolumeRequest request, ServerCallContext context)
    {
        TextRules.CheckKnownVolumeId(request.VolumeId);
        var record = await FindAsync(request.VolumeId, context.CancellationToken);
        var problem = await grains.GetGrain<IVolumeCatalogGrain>(0)
            .GetConditionAsync(request.VolumeId, context.CancellationToken);
        return new()
        {
            Volume = VolumeTranslation.ToVolume(record),
            Status = new()
            {
                PublishedNodeIds = { record.PublishedNodes.Keys },
                VolumeCondition = VolumeTranslation.ToCondition(problem),
            },
        };
    }

    private static async Task<string[]> GetProblemsAsync(
        IVolumeCatalogGrain catalog, List<VolumeRecord> page, CancellationToken cancellationToken)
    {
        var problems = new string[page.Count];
        await Parallel.ForEachAsync(
            Enumerable.Range(0, page.Count),
            new ParallelOptions { MaxDegreeOfParallelism = ConditionsAtATime, CancellationToken = cancellationToken },
            async (i, token) => problems[i] = await catalog.GetConditionAsync(page[i].VolumeId, token));
        return problems;
    }
}
