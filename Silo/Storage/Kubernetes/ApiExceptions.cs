using Carina.Grains.Errors;
using Carina.Kubernetes.Client;
using k8s.Autorest;

namespace Carina.Silo.Storage.Kubernetes;

/// <summary>What the API server's refusals mean to whoever asked for the record.</summary>
internal static class ApiExceptions
{
    /// <summary>Runs a request; a failure says which object it was about and what the API server answered.</summary>
    public static async Task<T> GuardAsync<T>(string what, Func<Task<T>> request, CancellationToken cancellationToken)
    {
        try
        {
            return await request().ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is HttpOperationException || exception.IsUnreachable())
        {
            throw new StorageException(
                exception.IsInvalid() || exception.IsForbidden() ? StorageErrorCode.Internal : StorageErrorCode.Unavailable,
                $"{what}: the API server {(exception is HttpOperationException ? "answers" : "does not answer")} ({exception.Describe()})",
                exception);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new StorageException(
                StorageErrorCode.Unavailable, $"{what}: the API server did not answer in time", exception);
        }
    }
}
