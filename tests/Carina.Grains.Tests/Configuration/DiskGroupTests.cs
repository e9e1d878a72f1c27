using Carina.Grains.Configuration;

namespace Carina.Grains.Tests.Configuration;

public sealed class DiskGroupTests
{
    private const string Sdb = "\"re\": [\"sdb\"], \"policy\": \"LVM\"";

    [Theory]
    [InlineData("a")]
    [InlineData("Carina-LVM")]
    [InlineData("0_vg.x-9")]
    public void Names_are_those_of_the_contract(string name) =>
        Assert.Equal(name, Group($$"""{"name": "{{name}}", {{Sdb}}}""").Name);

    [Theory]
    [InlineData("-a")]
    [InlineData("a.")]
    [InlineData("a b")]
    [InlineData("a/b")]
    [InlineData("a\\n")]
    [InlineData("é")]
    [InlineData("")]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890123")]
    public void Other_names_are_errors(string name) =>
        AssertError($$"""{"name": "{{name}}", {{Sdb}}}""", ".name", "letters, digits");

    [Fact]
    public void A_group_needs_a_name() => AssertError($$"""{ {{Sdb}} }""", "", "no name");

    [Fact]
    public void Names_that_differ_only_in_capitals_are_one()
    {
        var result = Parse($$"""{"name": "data", {{Sdb}}}, {"name": "DATA", {{Sdb}}}""");

        var error = Assert.Single(result.Errors);
        Assert.Equal("diskSelector[1].name", error.Path);
        Assert.Contains("diskSelector[0]", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("LVM", PoolPolicy.Lvm)]
    [InlineData("lvm", PoolPolicy.Lvm)]
    [InlineData("RAW", PoolPolicy.Raw)]
    [InlineData("Host", PoolPolicy.Host)]
    [InlineData("file", PoolPolicy.File)]
    public void Policies_are_known_in_any_case(string text, PoolPolicy policy) =>
        Assert.Equal(policy, Group($$"""{"name": "a", "re": ["/srv/a"], "policy": "{{text}}"}""").Policy);

    [Theory]
    [InlineData("\"zfs\"")]
    [InlineData("\" LVM\"")]
    [InlineData("1")]
    public void Another_policy_is_an_error_and_not_LVM(string policy) =>
        AssertError($$"""{"name": "a", "re": ["sdb"], "policy": {{policy}}}""", ".policy");

    [Theory]
    [InlineData("")]
    [InlineData(", \"policy\": \"\"")]
    [InlineData(", \"policy\": null")]
    public void Without_a_policy_a_group_is_LVM_as_it_was_and_that_is_said(string policy)
    {
        var result = Parse($$"""{"name": "a", "re": ["sdb"]{{policy}}}""");

        Assert.Equal(PoolPolicy.Lvm, result.Config!.Groups[0].Policy);
        Assert.Contains("no policy", Assert.Single(result.Warnings).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("LVM", "", "")]
    [InlineData("RAW", "\"re\": [], ", ".re")]
    [InlineData("HOST", "\"re\": [], ", ".re")]
    [InlineData("FILE", "", "")]
    [InlineData("LVM", "\"re\": null, ", "")]
    [InlineData("LVM", "\"re\": \"sdb\", ", ".re")]
    [InlineData("LVM", "\"re\": {\"x\": \"sdb\"}, ", ".re")]
    [InlineData("LVM", "\"re\": [\"\"], ", ".re[0]")]
    [InlineData("LVM", "\"re\": [\"sdb\", \"\"], ", ".re[1]")]
    [InlineData("LVM", "\"re\": [null], ", ".re[0]")]
    public void No_pattern_does_not_mean_every_disk(string policy, string re, string path) =>
        AssertError($$"""{"name": "a", {{re}} "policy": "{{policy}}"}""", path);

    [Theory]
    [InlineData("/opt/carina-hostpath", "/opt/carina-hostpath")]
    [InlineData("/opt//carina/", "/opt/carina")]
    [InlineData("/data/..x/.y", "/data/..x/.y")]
    [InlineData("/device", "/device")]
    public void Directories_are_absolute_and_without_needless_slashes(string text, string directory)
    {
        foreach (var policy in new[] { "HOST", "FILE" })
        {
            var group = Group($$"""{"name": "a", "re": ["{{text}}"], "policy": "{{policy}}"}""");
            Assert.Equal(directory, group.Directory);
            Assert.Empty(group.Patterns);
            Assert.False(group.Selects(directory, rotational: false, long.MaxValue));
        }
    }

    [Theory]
    [InlineData("/")]
    [InlineData("//")]
    [InlineData("opt/carina")]
    [InlineData("")]
    [InlineData("/opt/../etc")]
    [InlineData("/opt/.")]
    [InlineData("/opt\\u0000/a")]
    [InlineData("/dev/shm")]
    [InlineData("/proc")]
    [InlineData("//sys/fs")]
    public void Other_directories_are_errors(string text) =>
        AssertError($$"""{"name": "a", "re": ["{{text}}"], "policy": "HOST"}""", ".re[0]");

    [Fact]
    public void A_directory_group_has_one_directory() =>
        AssertError("""{"name": "a", "re": ["/a", "/b"], "policy": "FILE"}""", ".re[1]", "exactly one");

    [Theory]
    [InlineData("/srv", "/srv")]
    [InlineData("/srv", "/srv/a")]
    [InlineData("/srv/a/", "/srv")]
    public void Pools_of_one_node_do_not_share_a_directory(string first, string second)
    {
        string Two(string labelOfFirst, string labelOfSecond) => $$"""
            {"name": "a", "re": ["{{first}}"], "policy": "FILE", "nodeLabel": "{{labelOfFirst}}"},
            {"name": "b", "re": ["{{second}}"], "policy": "HOST", "nodeLabel": "{{labelOfSecond}}"}
            """;

        Assert.Equal("diskSelector[1].re[0]", Assert.Single(Parse(Two("", "")).Errors).Path);
        Assert.Single(Parse(Two("", "x")).Errors);
        Assert.Single(Parse(Two("x", "x")).Errors);

        var apart = Parse(Two("x", "y"));
        Assert.True(apart.IsValid);
        Assert.Contains("labels y and x", Assert.Single(apart.Warnings).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Directories_that_only_begin_alike_are_apart() =>
        Assert.Empty(Parse("""
            {"name": "a", "re": ["/srv/a"], "policy": "FILE"}, {"name": "b", "re": ["/srv/ab"], "policy": "FILE"}
            """).Errors);

    [Theory]
    [InlineData("kubernetes.io/hostname=node1")]
    [InlineData("a b")]
    public void A_label_that_no_node_can_have_is_warned_about(string label) =>
        Assert.Equal(
            "diskSelector[0].nodeLabel", Assert.Single(Parse($$"""{"name": "a", "nodeLabel": "{{label}}", {{Sdb}}}""").Warnings).Path);

    [Fact]
    public void A_group_applies_where_its_label_is_whatever_its_value()
    {
        var config = Parse($$"""{"name": "a", {{Sdb}}}, {"name": "b", "nodeLabel": "disks", {{Sdb}}}""").Config!;

        Assert.Equal(["a"], config.GroupsFor(new Dictionary<string, string> { ["Disks"] = "" }).Select(group => group.Name));
        Assert.Equal(["a", "b"], config.GroupsFor(new Dictionary<string, string> { ["disks"] = "" }).Select(group => group.Name));
        Assert.Equal("b", config.FindGroup("B")?.Name);
        Assert.Null(config.FindGroup("c"));
    }

    [Fact]
    public void Our_own_fields_have_Carinas_numbers_as_defaults()
    {
        var groups = Parse("""
            {"name": "a", "re": ["sdb"], "policy": "LVM"},
            {"name": "b", "re": ["/srv/b"], "policy": "FILE", "reserve": 0, "capacity": "1.5Gi"},
            {"name": "c", "re": ["sdc"], "policy": "RAW", "minSize": "500M"},
            {"name": "d", "re": ["sdd"], "policy": "LVM", "reserve": "1Gi", "minSize": 1048576}
            """).Config!.Groups;

        Assert.Equal((10L << 30, 10L << 30, 0L), (groups[0].ReserveBytes, groups[0].MinDiskBytes, groups[0].CapacityBytes));
        Assert.Equal((0L, 3L << 29), (groups[1].ReserveBytes, groups[1].CapacityBytes));
        Assert.Equal((0L, 500_000_000L), (groups[2].ReserveBytes, groups[2].MinDiskBytes));
        Assert.Equal((1L << 30, 1L << 20), (groups[3].ReserveBytes, groups[3].MinDiskBytes));
        Assert.True(groups[3].Selects("/dev/sdd", rotational: true, 1 << 20));
        Assert.False(groups[3].Selects("/dev/sdd", rotational: true, (1 << 20) - 1));
    }

    [Theory]
    [InlineData("RAW", "reserve", "1")]
    [InlineData("HOST", "reserve", "1")]
    [InlineData("HOST", "minSize", "1")]
    [InlineData("FILE", "minSize", "1")]
    [InlineData("LVM", "capacity", "1")]
    [InlineData("HOST", "capacity", "1")]
    [InlineData("FILE", "capacity", "0")]
    [InlineData("FILE", "capacity", "\"ten\"")]
    [InlineData("FILE", "reserve", "-1")]
    [InlineData("FILE", "reserve", "{}")]
    public void What_a_policy_cannot_keep_is_not_promised(string policy, string field, string value) =>
        AssertError($$"""{"name": "a", "re": ["/srv/a"], "policy": "{{policy}}", "{{field}}": {{value}}}""", $".{field}");

    [Fact]
    public void Numbers_of_groups_and_patterns_are_limited()
    {
        string Groups(int count, int patterns, int length = 3) => string.Join(',', Enumerable.Range(0, count).Select(i =>
            $$"""{"name": "g{{i}}", "re": [{{string.Join(',', Enumerable.Repeat($"\"{new string('x', length)}\"", patterns))}}], "policy": "LVM"}"""));

        Assert.Equal(256, Parse(Groups(256, 1)).Config!.Groups.Count);
        Assert.Equal("diskSelector", Assert.Single(Parse(Groups(257, 1)).Errors).Path);
        Assert.Single(Parse(Groups(1, 256)).Config!.Groups);
        Assert.Equal("diskSelector[0].re", Assert.Single(Parse(Groups(1, 257)).Errors).Path);
        Assert.Equal("diskSelector[0].re[0]", Assert.Single(Parse(Groups(1, 1, 4097)).Errors).Path);
        Assert.Equal("diskSelector[16]", Assert.Single(Parse(Groups(18, 1, 4096)).Errors).Path);
    }

    [Fact]
    public void A_disk_is_selected_when_one_of_several_patterns_finds_it()
    {
        var group = Group("""{"name": "a", "re": ["(?i)SDB$", "^/dev/vd(?P<letter>[bc])$", "x|y"], "policy": "LVM"}""");

        Assert.All(["/dev/sdb", "/dev/vdc", "/dev/x1"], path => Assert.True(group.Selects(path, false, long.MaxValue)));

        // Flags and alternatives of one pattern end with it.
        Assert.All(["/dev/VDC", "/dev/vdc1", "/dev/sdb1", "/dev/X1"], path => Assert.False(group.Selects(path, false, long.MaxValue)));
    }

    [Fact]
    public void Many_patterns_share_one_compiled_pattern()
    {
        var patterns = string.Join(',', Enumerable.Range(0, 256).Select(i => $"\"^/dev/sd[b-z]{i}$\""));
        var group = Group($$"""{"name": "a", "re": [{{patterns}}], "policy": "LVM"}""");

        // Each compiled one takes 230 KiB of a process that may have 100 MiB.
        Assert.Single(group.Patterns);
        Assert.True(group.Selects("/dev/sdc255", rotational: false, long.MaxValue));
    }

    [Fact]
    public void Patterns_too_large_for_one_are_a_few()
    {
        var patterns = string.Join(',', Enumerable.Range(0, 64).Select(i => $"\"^x([0-9]{i:D2}.){{200}}$\"".Replace("{{", "{", StringComparison.Ordinal)));
        var group = Group($$"""{"name": "a", "re": [{{patterns}}], "policy": "LVM"}""");

        Assert.InRange(group.Patterns.Count, 2, 63);
        Assert.True(group.Selects("x" + string.Concat(Enumerable.Repeat("463-", 200)), rotational: false, long.MaxValue));
    }

    [Fact]
    public void Patterns_and_groups_are_not_mixed() =>
        Assert.Equal("diskSelector[1]", Assert.Single(Parse($$"""{"name": "a", {{Sdb}}}, "sdc" """).Errors).Path);

    [Fact]
    public void Every_error_of_a_file_is_found_at_once()
    {
        var result = CarinaConfigParser.Parse("""
            {
              "diskSelector": [
                {"name": "a", "re": ["sd[b"], "policy": "LVM"},
                {"name": "b!", "re": ["/"], "policy": "HOST"},
                {"name": "c", "re": ["sdc"], "policy": "ZFS"}
              ],
              "diskScanInterval": "often",
              "schedulerStrategy": "best"
            }
            """);

        Assert.Equal(
            [
                (3, 26, "diskSelector[0].re[0]"), (4, 14, "diskSelector[1].name"), (4, 27, "diskSelector[1].re[0]"),
                (5, 44, "diskSelector[2].policy"), (7, 23, "diskScanInterval"), (8, 24, "schedulerStrategy"),
            ],
            result.Errors.Select(error => (error.Line, error.Column, error.Path)));
        Assert.StartsWith("line 7, column 23: diskScanInterval: ", result.Errors[4].ToString(), StringComparison.Ordinal);
    }

    private static ConfigParseResult Parse(string groups) => CarinaConfigParser.Parse($$"""{"diskSelector": [{{groups}}]}""");

    private static DiskGroup Group(string group)
    {
        var result = Parse(group);
        Assert.Empty(result.Errors);
        Assert.Empty(result.Warnings);
        return Assert.Single(result.Config!.Groups);
    }

    private static void AssertError(string group, string path, string says = "")
    {
        var result = Parse(group);
        var error = Assert.Single(result.Errors);
        Assert.Equal("diskSelector[0]" + path, error.Path);
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
        Assert.Null(result.Config);
    }
}
