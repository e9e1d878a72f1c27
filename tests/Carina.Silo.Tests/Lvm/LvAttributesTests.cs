using Carina.Silo.Lvm;

namespace Carina.Silo.Tests.Lvm;

public sealed class LvAttributesTests
{
    [Fact]
    public void An_ordinary_active_volume()
    {
        Assert.Equal(
            new LvAttributes
            {
                Type = LvType.Plain,
                Permission = LvPermission.Writable,
                Allocation = AllocationPolicy.Inherited,
                AllocationLocked = false,
                FixedMinor = false,
                State = LvState.Active,
                Open = LvOpen.Open,
                Target = LvTarget.Plain,
                ZeroesNewBlocks = false,
                Health = LvHealth.Good,
                SkipActivation = false,
            },
            LvAttributes.Parse("-wi-ao----"));
    }

    [Theory]
    [InlineData("-", LvType.Plain)]
    [InlineData("C", LvType.Cache)]
    [InlineData("m", LvType.Mirrored)]
    [InlineData("M", LvType.MirroredWithoutInitialSync)]
    [InlineData("o", LvType.Origin)]
    [InlineData("O", LvType.OriginWithMergingSnapshot)]
    [InlineData("g", LvType.Integrity)]
    [InlineData("r", LvType.Raid)]
    [InlineData("R", LvType.RaidWithoutInitialSync)]
    [InlineData("s", LvType.Snapshot)]
    [InlineData("S", LvType.MergingSnapshot)]
    [InlineData("p", LvType.PvMove)]
    [InlineData("v", LvType.Virtual)]
    [InlineData("i", LvType.Image)]
    [InlineData("I", LvType.ImageOutOfSync)]
    [InlineData("l", LvType.MirrorLog)]
    [InlineData("c", LvType.UnderConversion)]
    [InlineData("V", LvType.ThinVolume)]
    [InlineData("t", LvType.ThinPool)]
    [InlineData("T", LvType.ThinPoolData)]
    [InlineData("d", LvType.VdoPool)]
    [InlineData("D", LvType.VdoPoolData)]
    [InlineData("e", LvType.Metadata)]
    [InlineData("?", LvType.Unknown)]
    public void First_character(string letter, object type) =>
        Assert.Equal(type, LvAttributes.Parse($"{letter}wi-a-----").Type);

    [Theory]
    [InlineData("w", LvPermission.Writable)]
    [InlineData("r", LvPermission.ReadOnly)]
    [InlineData("R", LvPermission.ReadOnlyActivation)]
    [InlineData("-", LvPermission.None)]
    [InlineData("?", LvPermission.Unknown)]
    public void Second_character(string letter, object permission) =>
        Assert.Equal(permission, LvAttributes.Parse($"-{letter}i-a-----").Permission);

    [Theory]
    [InlineData("a", AllocationPolicy.Anywhere, false)]
    [InlineData("c", AllocationPolicy.Contiguous, false)]
    [InlineData("i", AllocationPolicy.Inherited, false)]
    [InlineData("l", AllocationPolicy.Cling, false)]
    [InlineData("n", AllocationPolicy.Normal, false)]
    [InlineData("I", AllocationPolicy.Inherited, true)]
    [InlineData("C", AllocationPolicy.Contiguous, true)]
    [InlineData("-", AllocationPolicy.None, false)]
    [InlineData("?", AllocationPolicy.Unknown, false)]
    public void Third_character(string letter, object policy, bool locked)
    {
        var attributes = LvAttributes.Parse($"-w{letter}-a-----");
        Assert.Equal(policy, attributes.Allocation);
        Assert.Equal(locked, attributes.AllocationLocked);
    }

    [Fact]
    public void Fourth_eighth_and_tenth_character()
    {
        var set = LvAttributes.Parse("-wima--z-k");
        Assert.True(set.FixedMinor);
        Assert.True(set.ZeroesNewBlocks);
        Assert.True(set.SkipActivation);
        var unset = LvAttributes.Parse("-wi-a-----");
        Assert.False(unset.FixedMinor);
        Assert.False(unset.ZeroesNewBlocks);
        Assert.False(unset.SkipActivation);
    }

    [Theory]
    [InlineData("-", LvState.Inactive)]
    [InlineData("a", LvState.Active)]
    [InlineData("h", LvState.Historical)]
    [InlineData("s", LvState.Suspended)]
    [InlineData("I", LvState.InvalidSnapshot)]
    [InlineData("S", LvState.InvalidSuspendedSnapshot)]
    [InlineData("m", LvState.SnapshotMergeFailed)]
    [InlineData("M", LvState.SuspendedSnapshotMergeFailed)]
    [InlineData("d", LvState.DeviceWithoutTable)]
    [InlineData("i", LvState.DeviceWithInactiveTable)]
    [InlineData("c", LvState.ThinPoolCheckNeeded)]
    [InlineData("C", LvState.SuspendedThinPoolCheckNeeded)]
    [InlineData("X", LvState.Unknown)]
    [InlineData("?", LvState.Unknown)]
    public void Fifth_character(string letter, object state) =>
        Assert.Equal(state, LvAttributes.Parse($"-wi-{letter}-----").State);

    [Theory]
    [InlineData("o", LvOpen.Open)]
    [InlineData("-", LvOpen.Closed)]
    [InlineData("X", LvOpen.Unknown)]
    [InlineData("?", LvOpen.Unknown)]
    public void Sixth_character(string letter, object open) =>
        Assert.Equal(open, LvAttributes.Parse($"-wi-a{letter}----").Open);

    [Theory]
    [InlineData("-", LvTarget.Plain)]
    [InlineData("C", LvTarget.Cache)]
    [InlineData("i", LvTarget.Integrity)]
    [InlineData("m", LvTarget.Mirror)]
    [InlineData("r", LvTarget.Raid)]
    [InlineData("s", LvTarget.Snapshot)]
    [InlineData("t", LvTarget.Thin)]
    [InlineData("v", LvTarget.Virtual)]
    [InlineData("u", LvTarget.Unknown)]
    [InlineData("?", LvTarget.Unknown)]
    public void Seventh_character(string letter, object target) =>
        Assert.Equal(target, LvAttributes.Parse($"-wi-a-{letter}---").Target);

    [Theory]
    [InlineData("-", LvHealth.Good)]
    [InlineData("p", LvHealth.Partial)]
    [InlineData("r", LvHealth.RefreshNeeded)]
    [InlineData("m", LvHealth.MismatchesExist)]
    [InlineData("w", LvHealth.WriteMostly)]
    [InlineData("s", LvHealth.Reshaping)]
    [InlineData("R", LvHealth.ReshapeRemoved)]
    [InlineData("F", LvHealth.Failed)]
    [InlineData("D", LvHealth.OutOfDataSpace)]
    [InlineData("M", LvHealth.MetadataReadOnly)]
    [InlineData("E", LvHealth.Error)]
    [InlineData("X", LvHealth.Unknown)]
    [InlineData("?", LvHealth.Unknown)]
    public void Ninth_character(string letter, object health) =>
        Assert.Equal(health, LvAttributes.Parse($"-wi-a---{letter}-").Health);

    [Theory]
    [InlineData("")]
    [InlineData("-wi-a----")]
    [InlineData("-wi-a------")]
    public void Another_length_is_not_guessed_at(string text) =>
        Assert.Throws<FormatException>(() => LvAttributes.Parse(text));

    [Fact]
    public void Volume_groups()
    {
        var plain = VgAttributes.Parse("wz--n-");
        Assert.Equal(
            new VgAttributes
            {
                Text = "wz--n-",
                Writable = true,
                Resizable = true,
                Exported = false,
                Partial = false,
                Allocation = AllocationPolicy.Normal,
                Sharing = VgSharing.Local,
            },
            plain);
        Assert.Equal(
            new VgAttributes
            {
                Text = "r-xpls",
                Writable = false,
                Resizable = false,
                Exported = true,
                Partial = true,
                Allocation = AllocationPolicy.Cling,
                Sharing = VgSharing.Shared,
            },
            VgAttributes.Parse("r-xpls"));
        Assert.Equal(VgSharing.Clustered, VgAttributes.Parse("wz--nc").Sharing);
        Assert.Equal(VgSharing.Unknown, VgAttributes.Parse("wz--n?").Sharing);
        Assert.Null(VgAttributes.Parse("?z--n-").Writable);
        Assert.Throws<FormatException>(() => VgAttributes.Parse("wz--n"));
    }

    [Theory]
    [InlineData("---", PvUse.None, false, false)]
    [InlineData("a--", PvUse.Allocatable, false, false)]
    [InlineData("u--", PvUse.Used, false, false)]
    [InlineData("d--", PvUse.Duplicate, false, false)]
    [InlineData("ax-", PvUse.Allocatable, true, false)]
    [InlineData("a-m", PvUse.Allocatable, false, true)]
    [InlineData("?--", PvUse.Unknown, false, false)]
    public void Physical_volumes(string text, object use, bool exported, bool missing)
    {
        var attributes = PvAttributes.Parse(text);
        Assert.Equal(use, attributes.Use);
        Assert.Equal(exported, attributes.Exported);
        Assert.Equal(missing, attributes.Missing);
    }
}
