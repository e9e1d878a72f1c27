using Carina.Grains.Volumes;

namespace Carina.Grains.Tests;

public sealed class VolumeIdsTests
{
    [Theory]
    [InlineData("pvc-319c5deb-f637-423b-8b52-42ecfcf0d3b7", "volume-pvc-319c5deb-f637-423b-8b52-42ecfcf0d3b7")]
    [InlineData("data.db-0", "volume-data.db-0")]
    public void A_plain_name_becomes_the_handle(string name, string handle) =>
        Assert.Equal(handle, VolumeIds.FromName(name));

    [Theory]
    [InlineData("PVC-1")]
    [InlineData("a/b")]
    [InlineData("../etc")]
    [InlineData("-x")]
    [InlineData("x.")]
    [InlineData("a..b")]
    [InlineData("a_mlog")]
    [InlineData("имя")]
    public void Another_name_is_hashed_into_a_legal_handle(string name)
    {
        var handle = VolumeIds.FromName(name);
        Assert.StartsWith("volume-h-", handle, StringComparison.Ordinal);
        Assert.True(VolumeIds.IsWellFormed(handle));
    }

    [Fact]
    public void Long_names_that_differ_only_at_the_end_stay_apart() =>
        Assert.NotEqual(VolumeIds.FromName(new string('a', 127) + "x"), VolumeIds.FromName(new string('a', 127) + "y"));

    [Theory]
    [InlineData("")]
    [InlineData("volume-")]
    [InlineData("fake-vol-id")]
    [InlineData("volume-../../etc/passwd")]
    [InlineData("volume-a b")]
    public void What_we_never_gave_out_is_not_well_formed(string id) => Assert.False(VolumeIds.IsWellFormed(id));
}
