using Carina.Grains.Configuration;

namespace Carina.Grains.Tests.Configuration;

public sealed class ShippedConfigTests
{
    [Fact]
    public void Version_0_9_0_sorts_its_disks_into_two_groups_by_kind()
    {
        var config = Valid(ShippedConfigs.V090);

        Assert.Equal(TimeSpan.FromSeconds(300), config.ScanInterval);
        Assert.Equal(SchedulerStrategy.Spreadout, config.Strategy);
        Assert.Equal(["carina-vg-ssd LVM", "carina-vg-hdd LVM"], config.Groups.Select(Shown));
        Assert.Equal([false, true], config.Groups.Select(group => group.Rotational));

        const long Size = 20L << 30;
        Assert.True(config.Groups[0].Selects("/dev/vdb", rotational: false, Size));
        Assert.False(config.Groups[0].Selects("/dev/vdb", rotational: true, Size));
        Assert.True(config.Groups[1].Selects("/dev/loop3", rotational: true, Size));
        Assert.False(config.Groups[1].Selects("/dev/sda", rotational: true, Size));
    }

    [Fact]
    public void The_manifest_of_0_9_1_is_refused_for_its_name_that_stands_twice()
    {
        var result = CarinaConfigParser.Parse(ShippedConfigs.V091);

        var error = Assert.Single(result.Errors);
        Assert.Equal((6, 14, "diskSelector[3].name"), (error.Line, error.Column, error.Path));
        Assert.Contains("diskSelector[2]", error.Message, StringComparison.Ordinal);
        Assert.Null(result.Config);
    }

    [Fact]
    public void Patterns_of_0_9_1_that_select_every_disk_are_warned_about()
    {
        var result = CarinaConfigParser.Parse(ShippedConfigs.V091);

        // "vd*" is v and any number of d: every path below /dev has a v.
        Assert.Equal(
            ["diskSelector[2].re[1]", "diskSelector[3].re[1]"], result.Warnings.Select(warning => warning.Path));
    }

    [Fact]
    public void Other_shipped_defaults_are_taken_as_they_are()
    {
        Assert.Equal(["hdd1 LVM", "hdd2 LVM", "ssd1 RAW", "ssd2 RAW"], Valid(ShippedConfigs.V091Chart).Groups.Select(Shown));
        Assert.Equal(["carina-vg-ssd LVM", "carina-raw-ssd RAW"], Valid(ShippedConfigs.V010).Groups.Select(Shown));
        Assert.Equal(["carina-lvm LVM", "carina-raw RAW"], Valid(ShippedConfigs.V011).Groups.Select(Shown));
        Assert.Equal(["carina-vg-ssd LVM", "carina-raw-ssd RAW"], Valid(ShippedConfigs.V014Chart).Groups.Select(Shown));
    }

    [Fact]
    public void Version_0_14_has_disks_and_a_directory()
    {
        var config = Valid(ShippedConfigs.V014);

        Assert.Equal(["carina-lvm LVM", "carina-raw RAW", "carina-host HOST"], config.Groups.Select(Shown));
        Assert.All(config.Groups, group => Assert.Equal("kubernetes.io/hostname", group.NodeLabel));
        Assert.Equal(["loop2+"], config.Groups[0].Patterns.Select(pattern => pattern.ToString()));
        Assert.Equal("/opt/carina-hostpath", config.Groups[2].Directory);
        Assert.Empty(config.Groups[2].Patterns);
        Assert.Equal([DiskGroup.DefaultReserveBytes, 0, 0], config.Groups.Select(group => group.ReserveBytes));
        Assert.All(config.Groups, group => Assert.Equal(DiskGroup.DefaultMinDiskBytes, group.MinDiskBytes));
        Assert.Equal(TimeSpan.FromMinutes(5), config.ScanInterval);
    }

    private static CarinaConfig Valid(string text)
    {
        var result = CarinaConfigParser.Parse(text);
        Assert.Empty(result.Errors);
        Assert.Empty(result.Warnings);
        return Assert.IsType<CarinaConfig>(result.Config);
    }

    private static string Shown(DiskGroup group) => $"{group.Name} {group.Policy.ToString().ToUpperInvariant()}";
}
