using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Events;
using Carina.Grains.Nodes;
using Carina.Grains.Placement;

namespace Carina.Grains.Volumes;

// Creation: place → reserve → record → make → confirm.
internal sealed partial class VolumeGrain
{
    private async Task<VolumeRecord> PlaceAndMakeAsync(CreateVolume request, CancellationToken cancellationToken)
    {
        if (_record is not null)
        {
            VolumeCompatibility.Check(_record, request);
            if (_record.State == VolumeState.Ready)
            {
                return _record;
            }

            await KeepOrLeavePlaceAsync(cancellationToken);
        }

        var refused = new List<PlacementCandidate>();
        while (true)
        {
            if (_record is null or { NodeName: "" })
            {
                await PlaceAsync(request, refused, cancellationToken);
            }

            var place = new PlacementCandidate(_record!.NodeName, _record.Pool, _record.Policy, 0);
            try
            {
                return await MakeAsync(cancellationToken);
            }
            catch (StorageException exception) when (exception.Code == StorageErrorCode.ResourceExhausted)
            {
                // The disk is fuller than the ledger knew. Nothing was made there; look elsewhere.
                LogPoolFull(Id, place.NodeName, place.Pool, exception.Message);
                refused.Add(place);
                await Ledger(place.NodeName).ReleaseAsync(Id, _record.Generation, cancellationToken);
                await WriteAsync(_record with { NodeName = "", Pool = "" });
            }
        }
    }

    /// <summary>Chooses a place, reserves there and records the intent.</summary>
    private async Task PlaceAsync(
        CreateVolume request, List<PlacementCandidate> refused, CancellationToken cancellationToken)
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
        foreach (var candidate in ranking.Candidates)
        {
            if (refused.Any(r => r.NodeName == candidate.NodeName && r.Pool == candidate.Pool))
            {
                continue;
            }

            var key = new DiskVolumeKey(Id, candidate.Pool, generation);
            var reservation = await Ledger(candidate.NodeName).ReserveAsync(
                new Reservation(key, request.RequiredBytes, request.LimitBytes), cancellationToken);
            if (reservation.Outcome != ReservationOutcome.Reserved)
            {
                continue;
            }

            crash.Reached("create.reserved", Id);
            await WriteAsync(NewRecord(request, candidate, generation, reservation.Bytes));
            crash.Reached("create.recorded", Id);
            return;
        }

        await ForgetAsync();
        throw NoRoom(request, ranking);
    }

    /// <summary>Makes the recorded volume on its node and confirms it.</summary>
    private async Task<VolumeRecord> MakeAsync(CancellationToken cancellationToken)
    {
        var record = _record!;
        var made = await executor.CreateAsync(record.NodeName, Key, record.TargetBytes, cancellationToken);
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
        events.Report(new(
            Id,
            VolumeEventReason.CreateVolumeSuccess,
            $"Made with {made.Bytes} bytes in pool '{record.Pool}' on node '{record.NodeName}'."));
        return _record!;
    }

    /// <summary>
    /// Before resuming a creation: renews its promise, or gives the place up when its node is gone or has no room any
    /// more. Nobody was ever told of the volume, so a copy left behind holds nobody's data.
    /// </summary>
    private async Task KeepOrLeavePlaceAsync(CancellationToken cancellationToken)
    {
        var record = _record!;
        if (record.NodeName.Length == 0)
        {
            return;
        }

        if (directory.LiveNodes.Contains(record.NodeName))
        {
            var renewed = await Ledger(record.NodeName).ReserveAsync(
                new Reservation(Key, record.TargetBytes, 0), cancellationToken);
            if (renewed.Outcome == ReservationOutcome.Reserved)
            {
                return;
            }
        }

        await WriteAsync(record with
        {
            NodeName = "",
            Pool = "",
            Abandoned = [.. record.Abandoned, new(record.NodeName, record.Pool, record.Generation)],
        });
        await CleanUpAsync(cancellationToken);
    }

    private VolumeRecord NewRecord(
        CreateVolume request, PlacementCandidate place, long generation, long bytes) => new()
        {
            VolumeId = Id,
            Name = request.Name,
            State = VolumeState.Creating,
            NodeName = place.NodeName,
            Pool = place.Pool,
            Policy = place.Policy,
            Bytes = 0,
            TargetBytes = bytes,
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
        if (_record is null || _record.Abandoned.Count > 0)
        {
            return;
        }

        await StoreAsync(() => store.DeleteAsync(Id, _etag!, CancellationToken.None));
        (_record, _etag) = (null, null);
    }

    // Full and unknown are different: on the one the scheduler looks elsewhere, the other passes.
    private static StorageException NoRoom(CreateVolume request, PlacementRanking ranking) => new(
        ranking.Silent.Count > 0 ? StorageErrorCode.Unavailable : StorageErrorCode.ResourceExhausted,
        $"No node has room for volume '{request.Name}' of {request.RequiredBytes} bytes"
        + (request.Pool.Length > 0 ? $" in pool '{request.Pool}'" : "") + ": "
        + (ranking.Refusals.Count > 0
            ? string.Join("; ", ranking.Refusals.Take(20))
            : ranking.Candidates.Count > 0 ? "other volumes took the room first" : "no node is live")
        + (ranking.Silent.Count > 0
            ? $"; of {string.Join(", ", ranking.Silent.Take(20))} it is not known at the moment. Try again."
            : ". Free or add capacity, or ask for less."));
}
