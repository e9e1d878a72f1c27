using System.Text;
using Carina.Grains.Configuration;

namespace Carina.Grains.Tests.Configuration;

public sealed class CarinaConfigParserTests
{
    [Theory]
    [InlineData("{}")]
    [InlineData("""{"diskSelector": []}""")]
    [InlineData("""{"diskSelector": null, "diskScanInterval": null, "schedulerStrategy": null}""")]
    [InlineData("""{"diskScanInterval": "", "schedulerStrategy": ""}""")]
    public void Without_values_nothing_is_managed_or_scanned_and_volumes_spread_out(string text)
    {
        var config = Valid(text);

        Assert.Empty(config.Groups);
        Assert.Null(config.ScanInterval);
        Assert.Equal(SchedulerStrategy.Spreadout, config.Strategy);
    }

    [Fact]
    public void Field_names_count_in_any_case_and_so_do_policies()
    {
        var group = Assert.Single(Valid("""
            {"DISKSELECTOR": [{"Name": "a", "RE": ["^/dev/sdb$"], "Policy": "rAw", "nodelabel": "disks"}]}
            """).Groups);

        Assert.Equal(("a", PoolPolicy.Raw, "disks"), (group.Name, group.Policy, group.NodeLabel));
    }

    [Fact]
    public void The_plural_of_the_design_document_is_accepted() =>
        Assert.Single(Valid("""{"diskSelectors": [{"name": "a", "re": ["sdb"], "policy": "LVM"}]}""").Groups);

    [Fact]
    public void A_byte_order_mark_does_not_count()
    {
        var result = CarinaConfigParser.Parse(new byte[] { 0xEF, 0xBB, 0xBF }.Concat("{}x"u8.ToArray()).ToArray());

        Assert.Equal((1, 3), (Assert.Single(result.Errors).Line, result.Errors[0].Column));
    }

    [Theory]
    [InlineData("300", 300, 0)]
    [InlineData("\"300\"", 300, 0)]
    [InlineData("3e2", 300, 0)]
    [InlineData("3600", 3600, 0)]
    [InlineData("1", 300, 1)]
    [InlineData("\"299\"", 300, 1)]
    [InlineData("99999999999999999999", 2592000, 1)]
    [InlineData("0", null, 0)]
    [InlineData("\"0\"", null, 0)]
    public void A_scan_interval_is_off_or_at_least_five_minutes(string value, int? seconds, int warnings)
    {
        var result = CarinaConfigParser.Parse($$"""{"diskScanInterval": {{value}}}""");

        Assert.Empty(result.Errors);
        Assert.Equal(seconds is null ? null : TimeSpan.FromSeconds(seconds.Value), result.Config!.ScanInterval);
        Assert.Equal(warnings, result.Warnings.Count);
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("\"-300\"")]
    [InlineData("300.5")]
    [InlineData("\"5m\"")]
    [InlineData("\" 300\"")]
    [InlineData("true")]
    [InlineData("[300]")]
    [InlineData("1e999999999")]
    public void What_is_no_number_of_seconds_is_no_scan_interval(string value) =>
        AssertError($$"""{"diskScanInterval": {{value}}}""", "diskScanInterval", 1, 22);

    [Theory]
    [InlineData("binpack", SchedulerStrategy.Binpack)]
    [InlineData("BinPack", SchedulerStrategy.Binpack)]
    [InlineData("spreadout", SchedulerStrategy.Spreadout)]
    [InlineData("SpreadOut", SchedulerStrategy.Spreadout)]
    [InlineData("spradout", SchedulerStrategy.Spreadout)]
    public void Strategies_of_all_releases_are_known(string value, SchedulerStrategy strategy) =>
        Assert.Equal(strategy, Valid($$"""{"schedulerStrategy": "{{value}}"}""").Strategy);

    [Fact]
    public void Another_strategy_is_an_error() =>
        AssertError("""{"schedulerStrategy": "random"}""", "schedulerStrategy", 1, 23, "\"binpack\"");

    [Fact]
    public void Unknown_fields_are_listed_and_do_not_matter()
    {
        var result = CarinaConfigParser.Parse("""
            {
              "diskSelector": [{"name": "a", "re": ["sdb"], "policy": "LVM",
                "nodelabels": {"deep": [1, {"er": null}]}}],
              "raid": true
            }
            """);

        Assert.Single(result.Config!.Groups);
        Assert.Equal(
            [(3, 5, "diskSelector[0].nodelabels"), (4, 3, "raid")],
            result.Warnings.Select(warning => (warning.Line, warning.Column, warning.Path)));
    }

    [Theory]
    [InlineData("", 1, 1)]
    [InlineData("  \n", 2, 1)]
    [InlineData("{\n  \"diskSelector\": [\n  ],\n}", 4, 1)]
    [InlineData("{\n  \"diskScanInterval\": 300, # seconds\n}", 2, 28)]
    [InlineData("{\"é\": x}", 1, 7)]
    [InlineData("{} {}", 1, 4)]
    [InlineData("{\"a\": \"b", 1, 9)]
    public void What_is_not_json_is_pointed_at(string text, int line, int column) =>
        AssertError(text, "", line, column, "not JSON");

    [Theory]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("\"x\"")]
    public void The_file_is_an_object(string text) => AssertError(text, "", 1, 1, "has to be an object");

    [Fact]
    public void Fields_that_stand_twice_are_errors_in_any_case()
    {
        AssertError("{\"schedulerStrategy\": \"binpack\",\n \"SchedulerStrategy\": \"spreadout\"}", "SchedulerStrategy", 2, 2, "twice");
        AssertError("""{"diskSelector": [], "diskSelectors": []}""", "diskSelectors", 1, 22, "mean the same");
        AssertError("""{"x": {"y": 1, "y": 1}}""", "x.y", 1, 16, "twice");
    }

    [Fact]
    public void Text_that_is_not_unicode_is_an_error()
    {
        AssertError("""{"diskSelector": [{"name": "a", "re": ["\ud800"], "policy": "LVM"}]}""", "diskSelector[0].re[0]", 1, 40, "Unicode");
        var bytes = Encoding.Latin1.GetBytes("{\"schedulerStrategy\": \"\xFF\"}");
        Assert.Contains(CarinaConfigParser.Parse(bytes).Errors, error => error.Path == "schedulerStrategy");
    }

    [Fact]
    public void Sizes_are_limited()
    {
        AssertError($$"""{"x": "{{new string('x', CarinaConfigParser.MaxBytes)}}"}""", "", 0, 0, "larger than");
        AssertError($"{new string('[', 17)}{new string(']', 17)}", "", 1, 17, "depth");
        AssertError($"[{string.Join(',', Enumerable.Repeat("0", 100_001))}]", "", 1, 200_000, "more than 100000 values");
    }

    [Fact]
    public void Errors_are_listed_up_to_a_hundred_and_counted_beyond()
    {
        var result = CarinaConfigParser.Parse($$"""{"diskSelector": [{{string.Join(',', Enumerable.Repeat("1", 150))}}]}""");

        Assert.Equal(101, result.Errors.Count);
        Assert.Contains("50 more", result.Errors[^1].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Messages_show_no_control_characters_and_no_novels()
    {
        var value = "\\n\\u001b[31m" + new string('x', 5000);
        var error = Assert.Single(CarinaConfigParser.Parse($$"""{"schedulerStrategy": "{{value}}"}""").Errors);

        Assert.DoesNotContain(error.Message, char.IsControl);
        Assert.InRange(error.Message.Length, 1, 300);
    }

    private static CarinaConfig Valid(string text)
    {
        var result = CarinaConfigParser.Parse(text);
        Assert.Empty(result.Errors);
        Assert.Empty(result.Warnings);
        return result.Config!;
    }

    private static void AssertError(string text, string path, int line, int column, string says = "")
    {
        var result = CarinaConfigParser.Parse(text);
        var error = Assert.Single(result.Errors);
        Assert.Equal((line, column, path), (error.Line, error.Column, error.Path));
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
        Assert.Null(result.Config);
    }
}
