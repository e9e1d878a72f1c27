using Carina.Grains.Volumes;
using Carina.Silo.Hosting;
using Carina.TestSilo;
using Microsoft.Extensions.DependencyInjection.Extensions;

// The driver itself, except that it dies where a file tells it to.
await CarinaSilo.Build(args, services =>
{
    if (Environment.GetEnvironmentVariable(KillingCrashPoints.Variable) is { Length: > 0 } file)
    {
        services.Replace(ServiceDescriptor.Singleton<ICrashPoints>(new KillingCrashPoints(file)));
    }
}).RunAsync();
