using Carina.Grains.Errors;
using Carina.Silo.Mounting;

namespace Carina.Silo.Tests.Mounting;

public sealed class MountOptionsTests
{
    private static MountEntry Mounted(string options, string superOptions) =>
        MountTable.Parse([$"36 35 7:1 / /mnt {options} - ext4 /dev/loop1 {superOptions}"]).Entries[0];

    [Theory]
    [InlineData("")]
    [InlineData("a,b")]
    [InlineData("noatime\n")]
    [InlineData("a\0b")]
    [InlineData("a b")]
    [InlineData("=x")]
    [InlineData("context=\"a,b")]
    [InlineData("remount")]
    [InlineData("bind")]
    [InlineData("loop=/dev/loop3")]
    [InlineData("logdev=/dev/sda")]
    public void Options_that_could_do_something_else_are_refused(string option) =>
        Assert.Equal(
            StorageErrorCode.InvalidArgument,
            Assert.Throws<StorageException>(() => MountOptions.Parse([option])).Code);

    [Fact]
    public void Flags_and_data_are_told_apart_and_the_last_word_counts()
    {
        var options = MountOptions.Parse(["ro", "noatime", "rw", "discard", "x-systemd.automount", "defaults", "data=journal"]);
        Assert.Equal(1UL << 10, options.Flags);
        Assert.Equal(["discard", "data=journal"], options.Data);
        Assert.True(options.IsWritable);
        Assert.False(MountOptions.Parse(["rw", "ro"]).IsWritable);
    }

    [Fact]
    public void Commas_within_the_quotes_of_a_security_context_are_its_own() =>
        Assert.Equal(
            ["context=\"system_u:object_r:container_file_t:s0:c1,c2\""],
            MountOptions.Parse(["context=\"system_u:object_r:container_file_t:s0:c1,c2\""]).Data);

    [Theory]
    [InlineData("", "rw,relatime", "rw", true)]
    [InlineData("rw", "rw,relatime", "rw", true)]
    [InlineData("noatime", "rw,noatime", "rw", true)]
    [InlineData("", "rw,noatime", "rw", false)]
    [InlineData("noatime", "rw,relatime", "rw", false)]
    [InlineData("strictatime", "rw", "rw", true)]
    [InlineData("nosuid,nodev", "rw,nosuid,nodev,relatime", "rw", true)]
    [InlineData("nosuid", "rw,nosuid,nodev,relatime", "rw", false)]
    [InlineData("ro", "rw,relatime", "rw", false)]
    [InlineData("discard", "rw,relatime", "rw,discard", true)]
    [InlineData("nodiscard", "rw,relatime", "rw,discard", false)]
    [InlineData("nodiscard", "rw,relatime", "rw", true)]
    [InlineData("data=journal", "rw,relatime", "rw,data=ordered", false)]
    [InlineData("logbsize=262144", "rw,relatime", "rw,logbsize=256k", true)]
    public void A_mount_agrees_or_not(string asked, string options, string superOptions, bool agrees) =>
        Assert.Equal(
            agrees,
            MountOptions.Parse(asked.Split(',', StringSplitOptions.RemoveEmptyEntries)).FindConflict(Mounted(options, superOptions)) is null);
}
