using Carina.Grains.Agents;
using Carina.Silo.Backends.Lvm;
using Carina.Silo.Lvm;

namespace Carina.Silo.Tests.Backends.Lvm;

public sealed class LvmIdentityTests
{
    [Fact]
    public void What_is_tagged_is_ours()
    {
        var tags = LvmIdentity.TagsOf(new DiskVolumeKey("volume-pvc-1", "ssd", 7));
        Assert.Equal(new LvmIdentity("volume-pvc-1", 7, false), LvmIdentity.Of(Volume("volume-pvc-1", tags)));
        Assert.Equal(new LvmIdentity("volume-pvc-1", 7, true), LvmIdentity.Of(Volume("volume-pvc-1", [.. tags, "carina.new", "else"])));
        Assert.All(tags, tag => Assert.True(LvmCommand.IsSafe(tag)));
    }

    [Theory]
    [InlineData]
    [InlineData("carina")]
    [InlineData("carina.volume=volume-a", "carina.generation=1")]
    [InlineData("carina", "carina.volume=volume-a")]
    [InlineData("carina", "carina.generation=1")]
    [InlineData("carina", "carina.volume=volume-b", "carina.generation=1")]
    [InlineData("carina", "carina.volume=volume-a", "carina.volume=volume-b", "carina.generation=1")]
    [InlineData("carina", "carina.volume=volume-a", "carina.generation=1", "carina.generation=2")]
    [InlineData("carina", "carina.volume=volume-a", "carina.generation=x")]
    [InlineData("carina", "carina.volume=volume-a", "carina.generation=-1")]
    public void Where_there_is_doubt_it_is_not(params string[] tags) => Assert.Null(LvmIdentity.Of(Volume("volume-a", tags)));

    [Theory]
    [InlineData("ssd", "volume-pvc-1", "ssd-volume--pvc--1")]
    [InlineData("a-b", "volume-x", "a--b-volume--x")]
    [InlineData("a", "b", "a-b")]
    public void Mapped_devices_are_named_as_device_mapper_does(string group, string volume, string name)
    {
        Assert.Equal(name, DeviceMapper.NameOf(group, volume));
        Assert.Equal((group, volume), DeviceMapper.Split(name));
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("ssd-pool_tdata-extra")]
    [InlineData("")]
    public void Other_names_are_not_guessed_at(string name) => Assert.Null(DeviceMapper.Split(name));

    [Fact]
    public void Device_patterns_allow_everything_or_what_they_match()
    {
        var none = new DevicePatterns("");
        Assert.False(none.Restrict);
        Assert.True(none.Allows("/dev/sda"));
        var some = new DevicePatterns("^/dev/loop1$, ^/dev/ubd");
        Assert.True(some.Restrict);
        Assert.True(some.Allows("/dev/loop1"));
        Assert.True(some.Allows("/dev/ubdb"));
        Assert.False(some.Allows("/dev/loop11"));
        Assert.Throws<System.Text.RegularExpressions.RegexParseException>(() => new DevicePatterns("("));
    }

    private static LvReport Volume(string name, string[] tags) =>
        new(name, "uuid", "ssd", "uuid", LvAttributes.Parse("-wi-a-----"), 1, tags, false, "");
}
