using System.Text;
using System.Text.RegularExpressions;
using Carina.Grains.Configuration;
using CsCheck;

namespace Carina.Grains.Tests.Configuration;

/// <summary>Whatever stands in the file: it is refused with reasons, or what comes of it can be relied on.</summary>
public sealed partial class CarinaConfigFuzzTests
{
    private const string OurOwn = """
        {"diskSelector": [
          {"name": "files", "re": ["/srv/carina"], "policy": "FILE", "reserve": "1.5Gi", "capacity": "10Gi"},
          {"name": "disks", "re": ["^/dev/sd[[:lower:]]{1,2}$", "\\Qnvme\\E\\d+n1"], "policy": "raw", "minSize": 1e9}
        ], "diskScanInterval": 600, "schedulerStrategy": "binpack"}
        """;

    private static readonly Gen<byte[]> _valid = Gen.OneOf(
        ShippedConfigs.V090, ShippedConfigs.V091, ShippedConfigs.V091Chart, ShippedConfigs.V010, ShippedConfigs.V011,
        ShippedConfigs.V014, ShippedConfigs.V014Chart, OurOwn).Select(Encoding.UTF8.GetBytes);

    /// <summary>Pieces that mean something to the parser, so that mutations get past the JSON reader.</summary>
    private static readonly Gen<byte[]> _piece = Gen.OneOf(
        Gen.Byte.Array[1, 4],
        Gen.OneOf(
            "{", "}", "[", "]", "[]", "{}", "\"\"", "null", "true", "-1", "1e999", "0", ",", ":", "\n", "\\ud800", "\\u0000",
            "\"re\"", "\"name\":", "\"policy\":\"FILE\",", "\"capacity\":1,", "\"diskSelectors\":[],", "/", "/..", "\"/\"", "\\\\", "(?=", "{9,999}",
            "[[:alpha:]]", "(", "*", "10Gi", "-", "HOST", "LVM", "é").Select(Encoding.UTF8.GetBytes));

    [Fact]
    public void Random_bytes_never_throw() => Gen.Byte.Array[0, 300].Sample(Check, iter: 5_000, threads: 1);

    [Fact]
    public void Mutated_configurations_never_throw() =>
        Gen.Select(_valid, Gen.Select(Gen.Int[0, 100_000], Gen.Int[0, 8], _piece).Array[1, 6], Mutate)
            .Sample(Check, iter: 8_000, threads: 1, print: Encoding.UTF8.GetString);

    [Fact]
    public void Random_patterns_never_throw() =>
        Gen.OneOf(
            Gen.String[0, 30],
            Gen.OneOf("(", ")", "[", "]", "[^", "{", "}", "{2,9}", "?", "*", "+", "|", "\\", "(?", "(?P<n>", "(?<n>", "a", "b-", "[:alpha:]", "\\x", "\\p", "^", "$", ":", "é", "\ud83d")
                .Array[0, 12].Select(parts => string.Concat(parts)))
            .Sample(pattern =>
            {
                var translated = DevicePattern.Translate(pattern, out var problem);
                Assert.Equal(translated is null, problem.Length > 0);
                if (translated is not null)
                    DevicePattern.Build([translated])?.IsMatch("/dev/disk/by-id/nvme-eui.0025388b710116a1");
            }, iter: 4_000, threads: 1);

    [Fact]
    public void Whatever_is_written_well_is_read_as_it_was_meant()
    {
        var group = Gen.Select(
            Gen.OneOf(PoolPolicy.Lvm, PoolPolicy.Raw, PoolPolicy.File, PoolPolicy.Host),
            Gen.Char["abcXYZ019"].Array[1, 20], Gen.Long[1, 1L << 50], Gen.OneOf("", "carina", "example.com/disks"),
            (policy, name, bytes, label) => (Policy: policy, Name: new string(name), Bytes: bytes, Label: label));
        Gen.Select(group.Array[0, 20], Gen.Int[300, 86400], Gen.Bool).Sample((drawn, seconds, upper) =>
        {
            var groups = drawn.DistinctBy(g => g.Name, StringComparer.OrdinalIgnoreCase).ToList();
            var text = $$"""{ {{Key("diskSelector", upper)}}: [{{string.Join(",\n", groups.Select(g => Written(g, upper)))}}], "diskScanInterval": {{seconds}} }""";

            var result = CarinaConfigParser.Parse(text);

            Assert.Empty(result.Errors);
            Assert.Empty(result.Warnings);
            Assert.Equal(TimeSpan.FromSeconds(seconds), result.Config!.ScanInterval);
            Assert.Equal(
                groups.Select(g => (g.Name, g.Policy, g.Label, Directory: IsDirectory(g.Policy) ? "/srv/" + g.Name : "", Bytes: g.Policy == PoolPolicy.Host ? 0 : g.Bytes)),
                result.Config.Groups.Select(g => (g.Name, g.Policy, g.NodeLabel, g.Directory, g.Policy switch
                {
                    PoolPolicy.Raw => g.MinDiskBytes,
                    PoolPolicy.File => g.CapacityBytes,
                    _ => g.ReserveBytes,
                })));
        }, iter: 300, threads: 1);

        static bool IsDirectory(PoolPolicy policy) => policy is PoolPolicy.File or PoolPolicy.Host;
        static string Key(string name, bool upper) => $"\"{(upper ? name.ToUpperInvariant() : name)}\"";
        static string Written((PoolPolicy Policy, string Name, long Bytes, string Label) g, bool upper) =>
            $$"""
            { {{Key("name", upper)}}: "{{g.Name}}",
              "re": ["{{(IsDirectory(g.Policy) ? "/srv/" + g.Name : "^/dev/sd[b-z]$")}}"],
              "policy": "{{(upper ? g.Policy.ToString().ToUpperInvariant() : g.Policy)}}",
              {{(g.Policy switch
            {
                PoolPolicy.Lvm => $"{Key("reserve", upper)}: \"{g.Bytes}\",",
                PoolPolicy.Raw => $"{Key("minSize", upper)}: {g.Bytes},",
                PoolPolicy.File => $"{Key("capacity", upper)}: {g.Bytes},",
                _ => "",
            })}}
              "nodeLabel": "{{g.Label}}" }
            """;
    }

    [GeneratedRegex(@"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\z")]
    private static partial Regex ContractName();

    /// <summary>Cuts, replaces or inserts at a place, one mutation after the other.</summary>
    private static byte[] Mutate(byte[] text, (int At, int Cut, byte[] Insert)[] mutations)
    {
        foreach (var (at, cut, insert) in mutations)
        {
            var start = at % (text.Length + 1);
            var end = Math.Min(text.Length, start + cut);
            text = [.. text[..start], .. insert, .. text[end..]];
        }

        return text;
    }

    private static void Check(byte[] text)
    {
        var result = CarinaConfigParser.Parse(text);

        var lines = text.Count(unit => unit == '\n') + 1;
        Assert.All(result.Errors.Concat(result.Warnings), problem =>
        {
            Assert.InRange(problem.Line, 0, lines);
            Assert.InRange(problem.Column, 0, text.Length + 1);
            Assert.NotEqual("", problem.Message);
            Assert.DoesNotContain(problem.ToString(), char.IsControl);
            Assert.InRange(problem.ToString().Length, 1, 600);
        });
        Assert.Equal(result.Errors.Count == 0, result.IsValid);
        if (!result.IsValid)
            return;

        var groups = result.Config.Groups;
        Assert.Equal(groups.Count, groups.DistinctBy(group => group.Name, StringComparer.OrdinalIgnoreCase).Count());
        Assert.True(result.Config.ScanInterval is null || result.Config.ScanInterval >= CarinaConfigParser.MinScanInterval);
        Assert.All(groups, CheckGroup);
    }

    private static void CheckGroup(DiskGroup group)
    {
        Assert.Matches(ContractName(), group.Name);
        Assert.True(group.MinDiskBytes >= 0 && group.ReserveBytes >= 0 && group.CapacityBytes >= 0);
        if (group.Policy is PoolPolicy.Lvm or PoolPolicy.Raw)
        {
            Assert.Equal("", group.Directory);
            Assert.NotEmpty(group.Patterns);
            Assert.All(group.Patterns, pattern =>
            {
                Assert.NotEqual("", pattern.ToString());
                Assert.True(pattern.Options.HasFlag(RegexOptions.NonBacktracking));
            });
        }
        else
        {
            Assert.Empty(group.Patterns);
            Assert.StartsWith("/", group.Directory, StringComparison.Ordinal);
            Assert.True(group.Directory.Length > 1);
            Assert.Equal(Path.GetFullPath(group.Directory), group.Directory);
        }
    }
}
