using Carina.Grains.Configuration;

namespace Carina.Grains.Tests.Configuration;

public sealed class DevicePatternTests
{
    [Theory]
    [InlineData("loop2+", "/dev/loop2", "/dev/loop1")]
    [InlineData("loop2+", "/dev/loop20", "/dev/loop12")]
    [InlineData("vd+", "/dev/vdb", "/dev/sdb")]
    [InlineData("^/dev/sd[b-d]$", "/dev/sdc", "/dev/sdc1")]
    [InlineData("sd(b|c)", "/dev/sdb", "/dev/sda")]
    [InlineData("(?i)SDB", "/dev/sdb", "/dev/sda")]
    [InlineData("(?i:S)db", "/dev/sdb", "/dev/sDb")]
    [InlineData("sd[[:lower:]]$", "/dev/sdb", "/dev/sdb1")]
    [InlineData("[[:alpha:][:digit:]]9$", "/dev/x9", "/dev/:9")]
    [InlineData("sd[^[:digit:]]$", "/dev/sdb", "/dev/sd1")]
    [InlineData("sd[a-z-[b]]", "/dev/sdb]", "/dev/sdb")]
    [InlineData("x[]y]", "/dev/x]", "/dev/xz")]
    [InlineData("x[^]y]$", "/dev/xz", "/dev/x]")]
    [InlineData(@"\Qa.b\E$", "/dev/a.b", "/dev/axb")]
    [InlineData(@"\Qa.b", "/dev/a.b", "/dev/axb")]
    [InlineData(@"(?P<letter>sd[b])\z", "/dev/sdb", "/dev/sdb1")]
    [InlineData(@"(?<letter>sd[b])\z", "/dev/sdb", "/dev/sdb1")]
    [InlineData(@"\pN$", "/dev/sdb1", "/dev/sdb")]
    [InlineData(@"\p{Lu}$", "/dev/sdB", "/dev/sdb")]
    [InlineData(@"\x62$", "/dev/sdb", "/dev/sda")]
    [InlineData(@"[\x{62}]$", "/dev/sdb", "/dev/sda")]
    [InlineData(@"a\_b", "/dev/a_b", "/dev/a-b")]
    [InlineData("nvme[0-9]{1,2}n1$", "/dev/nvme10n1", "/dev/nvme100n1")]
    [InlineData("^/dev/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", "/dev/01234567-89ab-cdef-0123-456789abcdef", "/dev/01234567-89ab-cdef-0123")]
    [InlineData("x{,2}", "/dev/x{,2}", "/dev/xx")]
    [InlineData("a#b c", "/dev/a#b c", "/dev/ab")]
    public void Patterns_mean_what_they_meant_in_Go(string pattern, string hit, string miss)
    {
        var translated = DevicePattern.Translate(pattern, out var problem);

        Assert.Equal("", problem);
        var regex = DevicePattern.Build([translated!]);
        Assert.Matches(regex!, hit);
        Assert.DoesNotMatch(regex!, miss);
    }

    [Theory]
    [InlineData("sd[b")]
    [InlineData("sd(b")]
    [InlineData("sdb)")]
    [InlineData("*")]
    [InlineData(@"sdb\")]
    [InlineData("sd(?=b)")]
    [InlineData("sd(?!a)")]
    [InlineData("(?<!v)db")]
    [InlineData("(?P<=v)db")]
    [InlineData("(?>sd)b")]
    [InlineData("(?#comment)sdb")]
    [InlineData("(?x)s d b")]
    [InlineData("(?U)sd.*")]
    [InlineData("(?")]
    [InlineData("(?<")]
    [InlineData(@"(s)\1")]
    [InlineData(@"(?<x>s)\k<x>")]
    [InlineData(@"sdb\Z")]
    [InlineData(@"\Gsdb")]
    [InlineData(@"\C")]
    [InlineData(@"\p")]
    [InlineData(@"\p{Klingon}")]
    [InlineData(@"\x")]
    [InlineData(@"\x{}")]
    [InlineData(@"\x{110000}")]
    [InlineData(@"\x4")]
    [InlineData("[[:nope:]]")]
    [InlineData(@"[\b]")]
    [InlineData("a{1001}")]
    [InlineData("a{99999999999999999999}")]
    [InlineData("[z-a]")]
    [InlineData("(?<a-b>x)")]
    [InlineData("(?P<>x)")]
    public void What_is_not_RE2_is_refused_and_not_read_as_something_else(string pattern)
    {
        Assert.Null(DevicePattern.Translate(pattern, out var problem));
        Assert.NotEqual("", problem);
    }

    [Theory]
    [InlineData("((a{999}){999}){999}")]
    [InlineData("((((((((a{999}){999}){999}){999}){999}){999}){999}){999}){999}")]
    [InlineData("(((((((((((((((a{2}){2}){2}){2}){2}){2}){2}){2}){2}){2}){2}){2}){2}){2}){2}){2}")]
    [InlineData(@"(\Qabcdefghijk\E){1000}")]
    public void What_would_take_the_memory_of_the_node_is_refused(string pattern)
    {
        var error = Assert.Single(CarinaConfigParser.Parse(
            $$"""{"diskSelector": [{"name": "a", "re": ["sdb", "{{pattern.Replace(@"\", @"\\", StringComparison.Ordinal)}}"], "policy": "LVM"}]}""").Errors);

        Assert.Equal("diskSelector[0].re[1]", error.Path);
        Assert.Contains("too large", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Matching_time_does_not_explode()
    {
        var regex = DevicePattern.Build([DevicePattern.Translate("(((a+)+)+)+$", out _)!])!;

        // A backtracking matcher would not finish this.
        Assert.DoesNotMatch(regex, new string('a', 5000) + "b");
    }
}
