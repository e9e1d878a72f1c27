using Carina.Silo.Lvm;
using CsCheck;

namespace Carina.Silo.Tests.Lvm;

public sealed class LvmCommandTests
{
    [Fact]
    public void A_command_is_one_line_of_words()
    {
        var command = new LvmCommand("lvremove", "--force", "--select", "lv_tags={a&&b=1}&&(lv_name=v)", "vg/v");
        Assert.Equal("lvremove --force --select lv_tags={a&&b=1}&&(lv_name=v) vg/v", command.Line);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("a\nlvremove -f vg")]
    [InlineData("a\rb")]
    [InlineData("a\tb")]
    [InlineData("it's")]
    [InlineData("say \"x\"")]
    [InlineData("back\\slash")]
    [InlineData("#comment")]
    [InlineData("bänch")]
    [InlineData("$(id)")]
    [InlineData("`id`")]
    [InlineData("a;b")]
    [InlineData("a*")]
    [InlineData("nul\0")]
    public void What_would_need_quoting_is_refused(string argument)
    {
        Assert.Throws<ArgumentException>(() => new LvmCommand("lvs", argument));
        Assert.False(LvmCommand.IsSafe(argument));
    }

    [Fact]
    public void Whatever_is_accepted_stays_one_line_and_one_word_per_argument() =>
        Gen.String.Array[0, 8].Sample(arguments =>
        {
            if (arguments.All(LvmCommand.IsSafe))
            {
                var line = new LvmCommand("lvs", arguments).Line;
                Assert.Equal(["lvs", .. arguments], line.Split(' '));
                Assert.DoesNotContain(line, char.IsControl);
            }
            else
            {
                Assert.Throws<ArgumentException>(() => new LvmCommand("lvs", arguments));
            }
        });

    [Fact]
    public void More_words_than_the_shell_takes_are_refused()
    {
        Assert.Equal(56, new LvmCommand("lvs", Enumerable.Repeat("vg/v", 55)).Line.Split(' ').Length);
        Assert.Throws<ArgumentException>(() => new LvmCommand("lvs", Enumerable.Repeat("vg/v", 56)));
    }

    [Fact]
    public void A_line_longer_than_anything_we_send_is_refused() =>
        Assert.Throws<ArgumentException>(() => new LvmCommand("lvs", new string('a', 20_000)));
}
