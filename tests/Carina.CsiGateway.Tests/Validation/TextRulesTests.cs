using System.Text;
using Carina.CsiGateway.Controller;
using Carina.CsiGateway.Hosting;
using Carina.CsiGateway.Validation;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using CsCheck;

namespace Carina.CsiGateway.Tests.Validation;

public sealed class TextRulesTests
{
    private static readonly Gen<string> _text = Gen.Char['\0', '\uD7FF'].Array[0, 200].Select(chars => new string(chars));

    [Fact]
    public void A_quotation_is_one_short_line_whatever_is_quoted() => _text.Sample(
        text =>
        {
            var quoted = Refusal.Quote(text);
            Assert.InRange(quoted.Length, 2, 70);
            Assert.DoesNotContain(quoted, char.IsControl);
        });

    [Fact]
    public void An_accepted_name_fits_the_specification_and_gives_a_handle_of_ours() => _text.Sample(
        name =>
        {
            try
            {
                TextRules.CheckName(name);
            }
            catch (StorageException e)
            {
                Assert.Equal(StorageErrorCode.InvalidArgument, e.Code);
                return;
            }

            Assert.InRange(Encoding.UTF8.GetByteCount(name), 1, 128);
            Assert.DoesNotContain(name, c => char.IsControl(c) || c == '/');
            Assert.True(VolumeIds.IsWellFormed(VolumeIds.FromName(name)));
        },
        iter: 5_000);

    [Fact]
    public void A_page_token_leads_back_to_its_volume() => _text.Where(name => name.Length > 0).Sample(
        name =>
        {
            var volumeId = VolumeIds.FromName(name);
            Assert.Equal(volumeId, PageToken.Read(PageToken.After(volumeId)));
        });

    [Theory]
    [InlineData("")]
    [InlineData("relative")]
    [InlineData("/")]
    [InlineData("/./")]
    [InlineData("/var/../etc")]
    public void Roots_that_would_allow_everything_are_refused_at_start(string root) => Assert.Throws<ArgumentException>(
        () => new CsiOptions { AllowedPathRoots = [root] }.Validate(CsiRole.Controller));

    [Fact]
    public void A_node_needs_a_name_and_a_controller_does_not()
    {
        new CsiOptions().Validate(CsiRole.Controller);
        Assert.Throws<ArgumentException>(() => new CsiOptions().Validate(CsiRole.Node));
    }
}
