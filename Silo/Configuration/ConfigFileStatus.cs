using Carina.Grains.Configuration;

namespace Carina.Silo.Configuration;

/// <summary>What was last found at the file, for Events and conditions.</summary>
/// <param name="Errors">Why the file is not in force; empty when it is.</param>
/// <param name="Warnings">What the file probably does not mean.</param>
/// <param name="AppliedAt">When the configuration in force was read; null while that is the empty one of the start.</param>
internal sealed record ConfigFileStatus(
    IReadOnlyList<ConfigProblem> Errors, IReadOnlyList<ConfigProblem> Warnings, DateTimeOffset? AppliedAt);
