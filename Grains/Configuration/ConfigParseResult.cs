using System.Diagnostics.CodeAnalysis;

namespace Carina.Grains.Configuration;

/// <summary>What became of a <c>config.json</c>: a whole configuration or errors, never a part of one.</summary>
public sealed record ConfigParseResult
{
    /// <summary>The configuration; null when there are errors.</summary>
    public CarinaConfig? Config { get; init; }

    /// <summary>Why there is no configuration; empty when there is one.</summary>
    public required IReadOnlyList<ConfigProblem> Errors { get; init; }

    /// <summary>What is accepted but probably not meant, such as a misspelt field.</summary>
    public required IReadOnlyList<ConfigProblem> Warnings { get; init; }

    /// <summary>Whether <see cref="Config"/> can be used.</summary>
    [MemberNotNullWhen(true, nameof(Config))]
    public bool IsValid => Config is not null;
}
