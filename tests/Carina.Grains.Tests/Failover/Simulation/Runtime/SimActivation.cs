using System.Reflection;
using Carina.Grains.Tests.Failover.Simulation.Cluster;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Concurrency;

namespace Carina.Grains.Tests.Failover.Simulation.Runtime;

/// <summary>
/// A real grain in a silo, called as Orleans calls it: one call at a time unless grain or method say otherwise, nothing
/// before it is activated, and after <c>DeactivateOnIdle</c> nothing that has not begun.
/// </summary>
internal sealed class SimActivation
{
    private static readonly FieldInfo _runtimeContext = typeof(Grain).Assembly.GetType("Orleans.Runtime.RuntimeContext")!
        .GetField("_threadLocalContext", BindingFlags.NonPublic | BindingFlags.Static)!;

    private static readonly Dictionary<Type, ObjectFactory> _factories = [];
    private static readonly Lock _lock = new();

    private readonly Queue<TaskCompletionSource> _turns = new();
    private readonly TaskCompletionSource _gone = new();
    private readonly Grain _grain;
    private readonly bool _isReentrant;
    private readonly Task _activated;
    private int _running;
    private bool _isBusy;

    public SimActivation(SimSilo silo, GrainId id, Type grainClass)
    {
        (Silo, Id) = (silo, id);
        _isReentrant = grainClass.IsDefined(typeof(ReentrantAttribute)) || grainClass.IsDefined(typeof(StatelessWorkerAttribute));
        _grain = Create(grainClass);
        _activated = silo.Process.Start(() => _grain.OnActivateAsync(CancellationToken.None));
    }

    public SimSilo Silo { get; }

    public GrainId Id { get; }

    /// <summary>Takes no new calls.</summary>
    public bool IsClosing { get; private set; }

    /// <summary>Called when it is gone.</summary>
    public Action<SimActivation> Gone { get; set; } = _ => { };

    public Grain Instance => _grain;

    /// <summary>Makes a call here. Runs in the silo's process.</summary>
    /// <exception cref="ReroutedException">It is gone; the call has not begun.</exception>
    public async Task<object?> InvokeAsync(MethodInfo method, object?[] arguments)
    {
        try
        {
            await _activated;
        }
        catch
        {
            Close();
            throw;
        }

        var isAlone = !_isReentrant && !method.IsDefined(typeof(AlwaysInterleaveAttribute));
        if (isAlone && _isBusy && !IsClosing)
        {
            var turn = new TaskCompletionSource();
            _turns.Enqueue(turn);
            await turn.Task;
        }

        if (IsClosing)
        {
            await _gone.Task;
            throw new ReroutedException();
        }

        _isBusy |= isAlone;
        _running++;
        try
        {
            var task = (Task)method.Invoke(_grain, BindingFlags.DoNotWrapExceptions, null, arguments, null)!;
            await task;
            return method.ReturnType.IsGenericType ? task.GetType().GetProperty("Result")!.GetValue(task) : null;
        }
        finally
        {
            _running--;
            if (isAlone)
            {
                _isBusy = IsClosing || _turns.Count == 0 ? false : true;
                Next();
            }

            CheckGone();
        }
    }

    private void Next()
    {
        if (_turns.TryDequeue(out var next))
        {
            next.SetResult();
        }
    }

    /// <summary>Ends it when the calls that have begun are done.</summary>
    public void Close()
    {
        IsClosing = true;
        while (_turns.Count > 0)
        {
            Next();
        }

        CheckGone();
    }

    private void CheckGone()
    {
        if (IsClosing && _running == 0 && _gone.TrySetResult())
        {
            Gone(this);
        }
    }

    private Grain Create(Type grainClass)
    {
        ObjectFactory? factory;
        lock (_lock)
        {
            if (!_factories.TryGetValue(grainClass, out factory))
            {
                _factories.Add(grainClass, factory = ActivatorUtilities.CreateFactory(grainClass, []));
            }
        }

        var runtime = Stub.Of<IGrainRuntime>(new()
        {
            ["get_GrainFactory"] = (_, _) => Silo.Factory.Orleans,
            ["get_ServiceProvider"] = (_, _) => Silo.Services,
            ["DeactivateOnIdle"] = (_, _) => Deactivate(),
        });
        var context = Stub.Of<IGrainContext>(new()
        {
            ["get_GrainId"] = (_, _) => Id,
            ["get_ActivationServices"] = (_, _) => new GrainServices(Silo.Services, runtime),
            ["Deactivate"] = (_, _) => Deactivate(),
        });
        _runtimeContext.SetValue(null, context);
        try
        {
            return (Grain)factory(Silo.Services, []);
        }
        finally
        {
            _runtimeContext.SetValue(null, null);
        }
    }

    private object? Deactivate()
    {
        Close();
        return null;
    }

    private sealed class GrainServices(IServiceProvider services, IGrainRuntime runtime) : IServiceProvider
    {
        public object? GetService(Type serviceType) =>
            serviceType == typeof(IGrainRuntime) ? runtime : services.GetService(serviceType);
    }
}

/// <summary>The activation that a call was sent to is gone; it is sent to the next one.</summary>
internal sealed class ReroutedException : Exception;
