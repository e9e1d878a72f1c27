using Carina.Grains.Configuration;
using Carina.Grains.Failover;

namespace Carina.Grains.Tests.Failover;

public sealed class FailoverOptionsTests
{
    [Fact]
    public void What_is_not_given_has_its_default()
    {
        Assert.Equal(new FailoverOptions(), Parse("{}"));
        Assert.Equal(new FailoverOptions(), Parse("""{"failover": {}}"""));
    }

    [Fact]
    public void All_of_it_can_be_given() => Assert.Equal(
        new FailoverOptions
        {
            Enabled = false,
            DryRun = true,
            MaxLostNodesPercent = 20,
            Cooldown = TimeSpan.FromMinutes(10),
            SkipCordonedNodes = false,
            FastDetection = true,
        },
        Parse("""{"failover": {"enabled": false, "dryRun": true, "maxLostNodesPercent": 20, "cooldownSeconds": 600, "skipCordonedNodes": false, "fastDetection": true}}"""));

    [Theory]
    [InlineData("""{"failover": true}""", "failover")]
    [InlineData("""{"failover": {"enabled": "yes"}}""", "failover.enabled")]
    [InlineData("""{"failover": {"maxLostNodesPercent": 51}}""", "failover.maxLostNodesPercent")]
    [InlineData("""{"failover": {"maxLostNodesPercent": -1}}""", "failover.maxLostNodesPercent")]
    [InlineData("""{"failover": {"cooldownSeconds": 1.5}}""", "failover.cooldownSeconds")]
    [InlineData("""{"failover": {"cooldownSeconds": "60"}}""", "failover.cooldownSeconds")]
    public void Nonsense_is_refused_by_the_field_s_name(string text, string field)
    {
        var result = CarinaConfigParser.Parse(text);
        Assert.Null(result.Config);
        Assert.Contains(result.Errors, e => e.ToString().Contains(field, StringComparison.Ordinal));
    }

    private static FailoverOptions Parse(string text)
    {
        var result = CarinaConfigParser.Parse(text);
        Assert.Empty(result.Errors);
        return result.Config!.Failover;
    }
}
