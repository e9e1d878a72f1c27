using System.Reflection;

// A proxy is derived from these at run time.
#pragma warning disable CA1852

namespace Carina.Grains.Tests.Failover.Simulation.Runtime;

/// <summary>An implementation of an interface of Orleans that knows a few of its members.</summary>
internal class Stub : DispatchProxy
{
    private Dictionary<string, Func<MethodInfo, object?[], object?>> _members = [];

    public static T Of<T>(Dictionary<string, Func<MethodInfo, object?[], object?>> members)
        where T : class
    {
        var stub = Create<T, Stub>();
        ((Stub)(object)stub)._members = members;
        return stub;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
        _members.TryGetValue(targetMethod!.Name, out var member)
            ? member(targetMethod, args ?? [])
            : throw new NotSupportedException($"The simulation has no {targetMethod.DeclaringType?.Name}.{targetMethod.Name}.");
}

/// <summary>A reference to a grain: every call of the interface, those that it may get later included, is sent on.</summary>
internal class GrainProxy : DispatchProxy
{
    private static readonly Dictionary<MethodInfo, Func<Task<object?>, Task>> _adapters = [];
    private static readonly Lock _lock = new();

    private Func<MethodInfo, object?[], Task<object?>> _call = null!;

    public static object Of(Type grain, Func<MethodInfo, object?[], Task<object?>> call)
    {
        var proxy = Create(grain, typeof(GrainProxy));
        ((GrainProxy)proxy)._call = call;
        return proxy;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
        AdapterOf(targetMethod!)(_call(targetMethod!, args ?? []));

    private static Func<Task<object?>, Task> AdapterOf(MethodInfo method)
    {
        lock (_lock)
        {
            if (!_adapters.TryGetValue(method, out var adapter))
            {
                adapter = method.ReturnType.IsGenericType
                    ? typeof(GrainProxy).GetMethod(nameof(AsAsync), BindingFlags.NonPublic | BindingFlags.Static)!
                        .MakeGenericMethod(method.ReturnType.GetGenericArguments()).CreateDelegate<Func<Task<object?>, Task>>()
                    : call => call;
                _adapters.Add(method, adapter);
            }

            return adapter;
        }
    }

    private static async Task<T> AsAsync<T>(Task<object?> call) => (T)(await call)!;
}
