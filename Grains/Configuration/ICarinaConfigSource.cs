namespace Carina.Grains.Configuration;

/// <summary>The configuration in force. An invalid file never gets here: the last valid one stays.</summary>
public interface ICarinaConfigSource
{
    /// <summary>The configuration in force now.</summary>
    CarinaConfig Current { get; }

    /// <summary>Called after <see cref="Current"/> changed; dispose the result to stop.</summary>
    IDisposable OnChange(Action<CarinaConfig> listener);
}
