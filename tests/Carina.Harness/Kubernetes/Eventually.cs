using System.Net;
using k8s.Autorest;

namespace Carina.Harness.Kubernetes;

/// <summary>Waits for what a control plane does in its own time.</summary>
public static class Eventually
{
    private static readonly TimeSpan _defaultLimit = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan _pollInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>Reads something until it is as it should be, and returns it. What does not exist yet is waited for.</summary>
    /// <param name="what">What is waited for, for the message.</param>
    /// <param name="read">Reads it.</param>
    /// <param name="isRight">Whether it is as it should be.</param>
    /// <exception cref="HarnessException">It was not in time; with what was last read.</exception>
    public static async Task<T> ReadAsync<T>(
        string what,
        Func<Task<T>> read,
        Func<T, bool> isRight,
        CancellationToken cancellationToken,
        TimeSpan? limit = null)
    {
        var deadline = DateTime.UtcNow + (limit ?? _defaultLimit);
        while (true)
        {
            object? last;
            try
            {
                var value = await read();
                if (isRight(value))
                {
                    return value;
                }

                last = value;
            }
            catch (HttpOperationException exception) when (exception.Response.StatusCode == HttpStatusCode.NotFound)
            {
                last = exception.Response.Content;
            }

            if (DateTime.UtcNow > deadline)
            {
                throw new HarnessException($"Waited for {what}; the last that was there: {Describe(last)}");
            }

            await Task.Delay(_pollInterval, cancellationToken);
        }
    }

    private static string Describe(object? value) => value is string text ? text : k8s.KubernetesJson.Serialize(value);
}
