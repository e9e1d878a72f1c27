using Carina.Grains.Errors;
using Carina.Grains.Nodes;
using Carina.Grains.Placement;

namespace Carina.Grains.Volumes;

// Creation: place → reserve → record → make → confirm.
internal sealed partial class VolumeGrain
{
    public async Task<VolumeRecord> CreateAsync(CreateVolume request, CancellationToken cancellationToken)
    {
        if (_record is not null)
        {
            VolumeCompatibility.Check(_record, request);
            if (_record.State == VolumeState.Ready)
            {
                return _record;
            }
        }

        var refused = new HashSet<(string Node, string Pool)>();
        while (true)
        {
            var bytes = await ReserveAgainAsync(cancellationToken)
                ?? await PlaceAsync(request, refused, cancellationToken);
            var place = _record!;
            try
            {
                return await MakeAsync(bytes, cancellationToken);
            }
            catch (StorageException exception) when (exception.Code == StorageErrorCode.ResourceExhausted)
            {
                // The disk is fuller than the ledger knew. Nothing was made there; look elsewhere.
                LogPoolFull(Id, place.NodeName, place.Pool, exception.Message);
                refused.Add((place.NodeName, place.Pool));
                await Ledger(place.NodeName).ReleaseAsync(Id, place.Generation, cancellationToken);
                await WriteAsync(place with { NodeName = "", Pool = "" });
            }
        }
    }

    /// <summary>
    /// Chooses a place, records the intent and reserves there, in this order: whoever repeats the call after a crash
    /// finds the place in the record, so no promise is left behind on another node.
    /// </summary>
    /// <returns>Bytes reserved.</returns>
    private async Task<long> PlaceAsync(
        CreateVolume request, HashSet<(string Node, string Pool)> refused, CancellationToken cancellationToken)
    {
        var generation = (_record?.Generation ?? 0) + 1;
        var ranking = await GrainFactory.GetGrain<IPlacementGrain>(0).RankAsync(
            new PlacementRequest
            {
                Bytes = request.RequiredBytes,
                LimitBytes = request.LimitBytes,
                Pool = request.Pool,
                Requisite = request.Requisite,
                Preferred = request.Preferred,
            },
            cancellationToken);
        foreach (var candidate in ranking.Candidates.Where(c => !refused.Contains((c.NodeName, c.Pool))))
        {
            await WriteAsync(NewRecord(request, candidate, generation));
            crash.Reached("create.recorded", Id);
            var reservation = await Ledger(candidate.NodeName).ReserveAsync(
                new Reservation(Key, request.RequiredBytes, request.LimitBytes), cancellationToken);
            if (reservation.Outcome == ReservationOutcome.Reserved)
            {
                crash.Reached("create.reserved", Id);
                return reservation.Bytes;
            }
        }

        await ForgetAsync();
        throw NoRoom(request, ranking);
    }

    /// <summary>Makes the recorded volume on its node and confirms it.</summary>
    private async Task<VolumeRecord> MakeAsync(long bytes, CancellationToken cancellationToken)
    {
        var record = _record!;
        var made = await executor.CreateAsync(record.NodeName, Key, bytes, cancellationToken);
        crash.Reached("create.on-disk", Id);
        await Ledger(record.NodeName).ConfirmAsync(Key, made.Bytes, cancellationToken);
        crash.Reached("create.confirmed", Id);
        await WriteAsync(record with
        {
            State = VolumeState.Ready,
            Bytes = made.Bytes,
            TargetBytes = made.Bytes,
            DevicePath = made.DevicePath,
        });
        return _record!;
    }

    /// <summary>
    /// Resumes a creation where it was recorded: renews the promise there, or gives the place up when its node is gone
    /// or has no room any more. Nobody was ever told of the volume, so a copy left behind holds nobody's data.
    /// </summary>
    /// <returns>Bytes reserved; null when a place must be chosen.</returns>
    private async Task<long?> ReserveAgainAsync(CancellationToken cancellationToken)
    {
        if (_record is not { NodeName.Length: > 0 } record)
        {
            return null;
        }

        if (directory.LiveNodes.Contains(record.NodeName))
        {
            var renewed = await Ledger(record.NodeName).ReserveAsync(
                new Reservation(Key, record.RequestedBytes, record.LimitBytes), cancellationToken);
            if (renewed.Outcome == ReservationOutcome.Reserved)
            {
                return renewed.Bytes;
            }
        }

        await WriteAsync(record with
        {
            NodeName = "",
            Pool = "",
            Abandoned = [.. record.Abandoned, new(record.NodeName, record.Pool, record.Generation)],
        });
        await CleanUpAsync(cancellationToken);
        return null;
    }

    private VolumeRecord NewRecord(
        CreateVolume request, PlacementCandidate place, long generation) => new()
        {
            VolumeId = Id,
            Name = request.Name,
            State = VolumeState.Creating,
            NodeName = place.NodeName,
            Pool = place.Pool,
            Policy = place.Policy,
            Bytes = 0,
            TargetBytes = 0,
            Generation = generation,
            Access = request.Access,
            FileSystem = request.FileSystem,
            Parameters = request.Parameters,
            MutableParameters = request.MutableParameters,
            CreatedAt = _record?.CreatedAt ?? time.GetUtcNow(),
            RequestedBytes = request.RequiredBytes,
            LimitBytes = request.LimitBytes,
            Abandoned = _record?.Abandoned ?? [],
        };

    /// <summary>Drops the record of a volume that could not be made, unless something may be left of it somewhere.</summary>
    private async Task ForgetAsync()
    {
        if (_record is null)
        {
            return;
        }

        if (_record.Abandoned.Count > 0)
        {
            await WriteAsync(_record with { NodeName = "", Pool = "" });
            return;
        }

        await StoreAsync(() => store.DeleteAsync(Id, _etag!, CancellationToken.None));
        (_record, _etag) = (null, null);
    }

    private static StorageException NoRoom(CreateVolume request, PlacementRanking ranking) => new(
        StorageErrorCode.ResourceExhausted,
        $"No node has room for volume '{request.Name}' of {request.RequiredBytes} bytes"
        + (request.Pool.Length > 0 ? $" in pool '{request.Pool}'" : "") + ": "
        + (ranking.Refusals.Count > 0
            ? string.Join("; ", ranking.Refusals.Take(20))
            : ranking.Candidates.Count > 0 ? "other volumes took the room first" : "no node is live")
        + ". Free or add capacity, or ask for less.");
}
