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
            HandOver = HandOver.Guarded,
            CopyRetention = TimeSpan.FromHours(48),
        },
        Parse("""{"failover": {"enabled": false, "dryRun": true, "maxLostNodesPercent": 20, "cooldownSeconds": 600, "skipCordonedNodes": false, "fastDetection": true, "handOver": "guarded", "copyRetentionHours": 48}}"""));

    [Theory]
    [InlineData("""{"failover": true}""", "failover")]
    [InlineData("""{"failover": {"enabled": "yes"}}""", "failover.enabled")]
    [InlineData("""{"failover": {"maxLostNodesPercent": 51}}""", "failover.maxLostNodesPercent")]
    [InlineData("""{"failover": {"maxLostNodesPercent": -1}}""", "failover.maxLostNodesPercent")]
    [InlineData("""{"failover": {"cooldownSeconds": 1.5}}""", "failover.cooldownSeconds")]
    [InlineData("""{"failover": {"cooldownSeconds": "60"}}""", "failover.cooldownSeconds")]
    [InlineData("""{"failover": {"handOver": "Lapsed"}}""", "failover.handOver")]
    [InlineData("""{"failover": {"copyRetentionHours": -1}}""", "failover.copyRetentionHours")]
    [InlineData("""{"failover": {"handOver": ["lapsed"]}}""", "failover.handOver")]
    public void Nonsense_is_refused_by_the_field_s_name(string text, string field)
    {
        var result = CarinaConfigParser.Parse(text);
        Assert.Null(result.Config);
        Assert.Contains(result.Errors, e => e.ToString().Contains(field, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("", HandOver.Guarded)]
    [InlineData(" ", HandOver.Guarded)]
    [InlineData("fenced", HandOver.Fenced)]
    [InlineData("lapsed", HandOver.Lapsed)]
    [InlineData(" lapsed ", HandOver.Lapsed)]
    [InlineData("of a later version", HandOver.Fenced)]
    public void A_volume_s_own_hand_over_goes_before_the_cluster_s(string own, HandOver expected)
    {
        var options = new FailoverOptions { HandOver = HandOver.Guarded };
        Assert.Equal(expected, HandOverPolicy.Of(new Dictionary<string, string> { [CarinaNames.HandOver] = own }, options));
        Assert.Equal(HandOver.Guarded, HandOverPolicy.Of(new Dictionary<string, string>(), options));
    }

    private static FailoverOptions Parse(string text)
    {
        var result = CarinaConfigParser.Parse(text);
        Assert.Empty(result.Errors);
        return result.Config!.Failover;
    }
}
