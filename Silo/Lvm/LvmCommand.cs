using System.Buffers;

namespace Carina.Silo.Lvm;

/// <summary>
/// One command of the lvm shell. The shell splits a line at blanks and knows quotes, and its JSON does not escape
/// everything; so only arguments that need no quoting are let through, and everything else is refused before it is sent.
/// </summary>
internal sealed class LvmCommand
{
    /// <summary>Most arguments of a command: the shell (lvm2 2.03) ends itself at 64.</summary>
    public const int MaxArguments = 56;

    private const int MaxLine = 16 << 10;

    // What names, tags, sizes, paths and selection criteria are made of. Not blanks, quotes, backslashes, '#'.
    private static readonly SearchValues<char> _safe = SearchValues.Create(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-._/=:,@%&|!(){}<>");

    /// <param name="name">The command's name: <c>lvcreate</c>.</param>
    /// <param name="arguments">Its arguments, each as it would be on a command line without any quoting.</param>
    /// <exception cref="ArgumentException">An argument cannot be given to the lvm shell.</exception>
    public LvmCommand(string name, params IEnumerable<string> arguments)
    {
        string[] words = [name, .. arguments];
        foreach (var word in words)
        {
            if (!IsSafe(word))
                throw new ArgumentException($"'{word}' cannot be an argument of an LVM command.", nameof(arguments));
        }

        if (words.Length > MaxArguments)
            throw new ArgumentException($"{name} has {words.Length} words; the lvm shell takes {MaxArguments}.", nameof(arguments));

        Name = name;
        Line = string.Join(' ', words);
        if (Line.Length > MaxLine)
            throw new ArgumentException($"{name} is {Line.Length} characters long, more than {MaxLine}.", nameof(arguments));
    }

    /// <summary>The command's name.</summary>
    public string Name { get; }

    /// <summary>The line for the shell, without its end.</summary>
    public string Line { get; }

    /// <summary>The volumes that it is about, for traces.</summary>
    public IReadOnlyList<string> VolumeIds { get; init; } = [];

    /// <summary>Whether a word can be an argument.</summary>
    public static bool IsSafe(string word) => word.Length > 0 && !word.AsSpan().ContainsAnyExcept(_safe);

    public override string ToString() => Line;
}
