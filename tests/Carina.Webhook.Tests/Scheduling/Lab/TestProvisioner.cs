using System.Collections.Concurrent;
using System.Text.Json;
using Carina.Grains;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Carina.Webhook.Tests.Scheduling.Lab;

/// <summary>
/// Stands in for external-provisioner (strict topology): makes the volume of a claim that has a selected node, on that
/// node and no other; without room there takes the annotation away, so that the scheduler chooses again. What fits is
/// decided by the real volume and ledger grains.
/// </summary>
internal sealed class TestProvisioner : IAsyncDisposable
{
    private const string SelectedNode = "volume.kubernetes.io/selected-node";
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(200);
    private readonly IKubernetes _client;
    private readonly StorageCluster _storage;
    private readonly ConcurrentDictionary<string, Task> _working = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _claims;
    private readonly Task _volumes;

    public TestProvisioner(IKubernetes client, StorageCluster storage)
    {
        (_client, _storage) = (client, storage);
        _claims = RepeatAsync(FollowClaimsAsync);
        _volumes = RepeatAsync(FollowVolumesAsync);
    }

    /// <summary>Claims that had to go back to the scheduler, with the reason.</summary>
    public ConcurrentQueue<string> Exhausted { get; } = new();

    /// <summary>What went wrong otherwise, and is tried again.</summary>
    public ConcurrentQueue<string> Errors { get; } = new();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll([_claims, _volumes, .. _working.Values]);
        _stop.Dispose();
    }

    private async Task RepeatAsync(Func<CancellationToken, Task> follow)
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await follow(_stop.Token);
            }
            catch (Exception exception)
            {
                if (!_stop.IsCancellationRequested)
                {
                    Errors.Enqueue(exception.ToString());
                    await Task.Delay(_pause, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
            }
        }
    }

    private async Task FollowClaimsAsync(CancellationToken stop)
    {
        var list = await _client.CoreV1.ListPersistentVolumeClaimForAllNamespacesAsync(cancellationToken: stop);
        foreach (var claim in list.Items)
        {
            Start(claim);
        }

        var watch = _client.CoreV1.WatchListPersistentVolumeClaimForAllNamespacesAsync(
            resourceVersion: list.ResourceVersion(), timeoutSeconds: 10, cancellationToken: stop);
        await foreach (var (type, claim) in watch)
        {
            if (type is WatchEventType.Added or WatchEventType.Modified)
            {
                Start(claim);
            }
        }
    }

    private void Start(V1PersistentVolumeClaim claim)
    {
        if (claim.GetAnnotation(SelectedNode) is { } node && string.IsNullOrEmpty(claim.Spec.VolumeName))
        {
            // One at a time for each state of a claim.
            _working.GetOrAdd($"{claim.Uid()}/{claim.ResourceVersion()}", _ => ProvisionAsync(claim, node));
        }
    }

    private async Task ProvisionAsync(V1PersistentVolumeClaim claim, string node)
    {
        await Task.Yield();
        try
        {
            var storageClass = await _client.StorageV1.ReadStorageClassAsync(
                claim.Spec.StorageClassName, cancellationToken: _stop.Token);
            if (storageClass.Provisioner != CarinaNames.Driver)
            {
                return;
            }

            var name = "pvc-" + claim.Uid();
            var record = await _storage.Grains.GetGrain<IVolumeGrain>(VolumeIds.FromName(name)).CreateAsync(
                Request(claim, storageClass, name, node), _stop.Token);
            await _client.CoreV1.CreatePersistentVolumeAsync(Volume(claim, record, name), cancellationToken: _stop.Token);
        }
        catch (StorageException exception) when (exception.Code == StorageErrorCode.ResourceExhausted)
        {
            Exhausted.Enqueue($"{claim.Name()} on {node}: {exception.Message}");
            await ClearAsync(claim);
        }
        catch (HttpOperationException exception) when (exception.Response.StatusCode == System.Net.HttpStatusCode.Conflict)
        {
            // The volume is there already: the claim was seen twice before it was bound.
        }
        catch (Exception exception)
        {
            if (!_stop.IsCancellationRequested)
            {
                Errors.Enqueue($"{claim.Name()}: {exception}");
            }
        }
    }

    // As external-provisioner's rescheduling: of exactly the claim that was looked at.
    private async Task ClearAsync(V1PersistentVolumeClaim claim)
    {
        var patch = JsonSerializer.Serialize(new
        {
            metadata = new
            {
                resourceVersion = claim.ResourceVersion(),
                annotations = new Dictionary<string, string?> { [SelectedNode] = null },
            },
        });
        try
        {
            await _client.CoreV1.PatchNamespacedPersistentVolumeClaimAsync(
                new(patch, V1Patch.PatchType.MergePatch), claim.Name(), claim.Namespace(), cancellationToken: _stop.Token);
        }
        catch (HttpOperationException exception) when (exception.Response.StatusCode == System.Net.HttpStatusCode.Conflict)
        {
            // Changed meanwhile: the watch brings it again.
        }
    }

    private async Task FollowVolumesAsync(CancellationToken stop)
    {
        var list = await _client.CoreV1.ListPersistentVolumeAsync(cancellationToken: stop);
        foreach (var volume in list.Items)
        {
            await DeleteReleasedAsync(volume, stop);
        }

        var watch = _client.CoreV1.WatchListPersistentVolumeAsync(
            resourceVersion: list.ResourceVersion(), timeoutSeconds: 10, cancellationToken: stop);
        await foreach (var (_, volume) in watch)
        {
            await DeleteReleasedAsync(volume, stop);
        }
    }

    private async Task DeleteReleasedAsync(V1PersistentVolume volume, CancellationToken stop)
    {
        if (volume.Status?.Phase != "Released" || volume.Spec.Csi?.Driver != CarinaNames.Driver
            || volume.Metadata.DeletionTimestamp is not null)
        {
            return;
        }

        await _storage.Grains.GetGrain<IVolumeGrain>(volume.Spec.Csi.VolumeHandle).DeleteAsync(stop);
        try
        {
            await _client.CoreV1.DeletePersistentVolumeAsync(volume.Name(), cancellationToken: stop);
        }
        catch (HttpOperationException exception) when (exception.Response.StatusCode == System.Net.HttpStatusCode.NotFound)
        {
            // Seen twice.
        }
    }

    private static CreateVolume Request(
        V1PersistentVolumeClaim claim, V1StorageClass storageClass, string name, string node)
    {
        var topology = new Dictionary<string, string> { [CarinaNames.TopologyKey] = node };
        var parameters = new Dictionary<string, string>(storageClass.Parameters ?? new Dictionary<string, string>());
        return new()
        {
            Name = name,
            RequiredBytes = (long)claim.Spec.Resources.Requests["storage"].ToDecimal(),
            LimitBytes = 0,
            Access = VolumeAccess.FileSystem,
            FileSystem = "ext4",
            Pool = parameters.GetValueOrDefault(CarinaNames.DiskGroup, ""),
            Parameters = parameters,
            MutableParameters = [],
            Requisite = [topology],
            Preferred = [topology],
        };
    }

    private static V1PersistentVolume Volume(V1PersistentVolumeClaim claim, VolumeRecord record, string name) => new()
    {
        Metadata = new()
        {
            Name = name,
            Annotations = new Dictionary<string, string> { ["pv.kubernetes.io/provisioned-by"] = CarinaNames.Driver },
        },
        Spec = new()
        {
            AccessModes = claim.Spec.AccessModes,
            Capacity = new Dictionary<string, ResourceQuantity> { ["storage"] = new($"{record.Bytes}") },
            ClaimRef = new()
            {
                ApiVersion = "v1",
                Kind = "PersistentVolumeClaim",
                Name = claim.Name(),
                NamespaceProperty = claim.Namespace(),
                Uid = claim.Uid(),
                ResourceVersion = claim.ResourceVersion(),
            },
            Csi = new() { Driver = CarinaNames.Driver, VolumeHandle = record.VolumeId },
            NodeAffinity = new()
            {
                Required = new()
                {
                    NodeSelectorTerms =
                    [
                        new()
                        {
                            MatchExpressions =
                            [
                                new() { Key = CarinaNames.TopologyKey, OperatorProperty = "In", Values = [record.NodeName] },
                            ],
                        },
                    ],
                },
            },
            PersistentVolumeReclaimPolicy = "Delete",
            StorageClassName = claim.Spec.StorageClassName,
            VolumeMode = "Filesystem",
        },
    };
}
