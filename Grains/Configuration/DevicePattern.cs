using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Carina.Grains.Configuration;

/// <summary>
/// Compiles the patterns of <c>re</c>. They are written for Go's RE2 (github.com/google/re2, "Syntax"), so what RE2 and
/// .NET read differently is translated, and what RE2 does not have is refused, instead of quietly selecting other
/// disks. Matching takes time linear in the path.
/// </summary>
internal static class DevicePattern
{
    private const int MaxRepetition = 1000;

    private static readonly Dictionary<string, string> _posixClasses = new(StringComparer.Ordinal)
    {
        ["alnum"] = "0-9A-Za-z",
        ["alpha"] = "A-Za-z",
        ["ascii"] = @"\x00-\x7F",
        ["blank"] = @"\t ",
        ["cntrl"] = @"\x00-\x1F\x7F",
        ["digit"] = "0-9",
        ["graph"] = @"\x21-\x7E",
        ["lower"] = "a-z",
        ["print"] = @"\x20-\x7E",
        ["punct"] = @"\x21-\x2F\x3A-\x40\x5B-\x60\x7B-\x7E",
        ["space"] = @"\t\n\v\f\r ",
        ["upper"] = "A-Z",
        ["word"] = "0-9A-Za-z_",
        ["xdigit"] = "0-9A-Fa-f",
    };

    /// <summary>The pattern in .NET's syntax; null when it is not RE2, and then why.</summary>
    public static string? Translate(string pattern, out string problem)
    {
        try
        {
            var translated = new Translator(pattern).Translate();

            // The parser of this engine is the same, but it builds nothing large.
            _ = new Regex(translated, RegexOptions.CultureInvariant);
            problem = "";
            return translated;
        }
        catch (FormatException e)
        {
            problem = e.Message;
        }
        catch (RegexParseException e)
        {
            problem = $"its error is {e.Error} near character {e.Offset + 1}";
        }

        return null;
    }

    /// <summary>
    /// Compiles translated patterns into one that matches where any of them does, unanchored; null when it would be too
    /// large. A compiled pattern takes some 230 KiB whatever its length, so the patterns of a group share one.
    /// </summary>
    public static Regex? Build(IReadOnlyCollection<string> translated)
    {
        var joined = translated.Count == 1 ? translated.First() : string.Join('|', translated.Select(pattern => $"(?:{pattern})"));
        try
        {
            return new Regex(joined, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (NotSupportedException)
        {
            // The only reason left: Translate passes no construct that this engine does not have.
            return null;
        }
    }

    /// <summary>One walk through a pattern. Throws <see cref="FormatException"/> at what RE2 does not have.</summary>
    private sealed class Translator(string pattern)
    {
        private readonly StringBuilder _net = new();
        private int _at;

        public string Translate()
        {
            while (_at < pattern.Length)
            {
                if (pattern[_at] == '\\')
                    Escape(inClass: false);
                else if (pattern[_at] == '[')
                    Class();
                else if (pattern[_at] == '{')
                    Repetition();
                else if (Ahead("(?"))
                    Group();
                else
                    Copy(1);
            }

            return _net.ToString();
        }

        private bool Ahead(string text) => string.CompareOrdinal(pattern, _at, text, 0, text.Length) == 0;

        private FormatException NotRe2(string what) => new($"{what} near character {_at + 1} is not part of RE2 or not supported here");

        private void Escape(bool inClass)
        {
            if (_at + 1 == pattern.Length)
                throw new FormatException("it ends with a single backslash");

            var escaped = pattern[_at + 1];
            if (escaped == 'Q' && !inClass)
                Literal();
            else if (escaped is 'p' or 'P')
                Property();
            else if (escaped == 'x')
                Hexadecimal();
            else if ((inClass ? "dDwWsSafnrtv" : "dDwWsSafnrtvbBAz").Contains(escaped, StringComparison.Ordinal))
                Copy(2);
            else if (char.IsAscii(escaped) && !char.IsAsciiLetterOrDigit(escaped))
            {
                // .NET takes an underscore for a letter and refuses to escape it.
                _net.Append(escaped == '_' ? "_" : $"\\{escaped}");
                _at += 2;
            }
            else
                throw NotRe2($"\\{escaped}");
        }

        /// <summary><c>\Q...\E</c>: literal text.</summary>
        private void Literal()
        {
            var start = _at + 2;
            var end = pattern.IndexOf(@"\E", start, StringComparison.Ordinal);
            _net.Append(Regex.Escape(end < 0 ? pattern[start..] : pattern[start..end]));
            _at = end < 0 ? pattern.Length : end + 2;
        }

        /// <summary><c>\pL</c> and <c>\p{Lu}</c>: Unicode categories.</summary>
        private void Property()
        {
            var name = _at + 2;
            if (name == pattern.Length)
                throw NotRe2(pattern[_at..]);
            if (pattern[name] == '{')
            {
                Copy(2);
                return;
            }

            _net.Append(CultureInfo.InvariantCulture, $"{pattern.AsSpan(_at, 2)}{{{pattern[name]}}}");
            _at += 3;
        }

        /// <summary><c>\x7F</c> and <c>\x{7F}</c>.</summary>
        private void Hexadecimal()
        {
            var braced = Ahead(@"\x{");
            var start = _at + (braced ? 3 : 2);
            var end = braced ? pattern.IndexOf('}', start) : start + 2;
            if (end < 0 || end > pattern.Length || end == start
                || !ushort.TryParse(pattern.AsSpan(start, end - start), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code))
                throw NotRe2(@"\x");
            _net.Append(CultureInfo.InvariantCulture, $"\\u{code:X4}");
            _at = braced ? end + 1 : end;
        }

        /// <summary>A group that is more than a plain one: a name or flags.</summary>
        private void Group()
        {
            var name = Ahead("(?P<") ? _at + 4 : Ahead("(?<") ? _at + 3 : 0;
            if (name > 0)
            {
                var nameEnd = name;
                while (nameEnd < pattern.Length && (char.IsAsciiLetterOrDigit(pattern[nameEnd]) || pattern[nameEnd] == '_'))
                    nameEnd++;
                if (nameEnd == name || nameEnd == pattern.Length || pattern[nameEnd] != '>')
                    throw NotRe2(pattern[_at..name]);

                // Nobody asks for what a group matched; without names, joined patterns cannot disturb each other.
                _net.Append('(');
                _at = nameEnd + 1;
                return;
            }

            var end = _at + 2;
            while (end < pattern.Length && pattern[end] is 'i' or 'm' or 's' or '-')
                end++;
            if (end == pattern.Length || pattern[end] is not (':' or ')'))
                throw NotRe2(pattern[_at..Math.Min(pattern.Length, _at + 4)]);
            Copy(end - _at);
        }

        /// <summary><c>{n}</c>, <c>{n,}</c>, <c>{n,m}</c>; anything else in braces is literal, in RE2 as in .NET.</summary>
        private void Repetition()
        {
            var end = pattern.IndexOf('}', _at);
            var counts = end < 0 ? [] : pattern[(_at + 1)..end].Split(',');
            var isRepetition = counts.Length is 1 or 2 && counts[0].Length > 0
                && counts.All(count => count.All(char.IsAsciiDigit));
            foreach (var count in counts.Where(count => isRepetition && count.Length > 0))
            {
                if (!int.TryParse(count, CultureInfo.InvariantCulture, out var value) || value > MaxRepetition)
                    throw new FormatException($"it repeats something more than {MaxRepetition} times");
            }

            Copy(isRepetition ? end + 1 - _at : 1);
        }

        /// <summary><c>[...]</c>: .NET reads <c>[:alpha:]</c> and <c>-[</c> inside differently.</summary>
        private void Class()
        {
            Copy(1);
            if (Ahead("^"))
                Copy(1);
            if (Ahead("]"))
            {
                _net.Append(@"\]");
                _at++;
            }

            while (!Ahead("]"))
            {
                if (_at >= pattern.Length)
                    throw new FormatException("a [ is not closed");
                if (Ahead("[:"))
                    PosixClass();
                else if (pattern[_at] == '[')
                {
                    _net.Append(@"\[");
                    _at++;
                }
                else if (pattern[_at] == '\\')
                    Escape(inClass: true);
                else
                    Copy(1);
            }

            Copy(1);
        }

        private void PosixClass()
        {
            var end = pattern.IndexOf(":]", _at + 2, StringComparison.Ordinal);
            var name = end < 0 ? "" : pattern[(_at + 2)..end];
            if (!_posixClasses.TryGetValue(name, out var characters))
                throw NotRe2($"[:{ConfigText.Shorten(name)}:]");
            _net.Append(characters);
            _at = end + 2;
        }

        private void Copy(int length)
        {
            _net.Append(pattern, _at, length);
            _at += length;
        }
    }
}
