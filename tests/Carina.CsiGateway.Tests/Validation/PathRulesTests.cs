using Carina.CsiGateway.Hosting;
using Carina.CsiGateway.Validation;
using Carina.Grains.Errors;
using CsCheck;

namespace Carina.CsiGateway.Tests.Validation;

public sealed class PathRulesTests
{
    private readonly PathRules _rules = new(new CsiOptions { AllowedPathRoots = ["/no-such-root/kubelet/", "/other"] });

    [Theory]
    [InlineData("/no-such-root/kubelet/x", "/no-such-root/kubelet/x")]
    [InlineData("//no-such-root/./kubelet//x/", "/no-such-root/kubelet/x")]
    [InlineData("/other/имя с пробелом/..x", "/other/имя с пробелом/..x")]
    public void A_good_path_comes_out_in_normal_form(string path, string normal)
    {
        Assert.Equal(normal, _rules.Read("f", path));
        Assert.Equal(normal, _rules.ReadMountPath("f", path));
        Assert.Equal(normal, _rules.TryRead(path));
    }

    [Fact]
    public void Whatever_is_accepted_is_below_a_root_by_the_systems_own_reckoning()
    {
        var segment = Gen.OneOf("kubelet", "no-such-root", "other", "..", ".", "", "x", "...", " ", "a\tb", "\0", "kubelet-2");
        segment.Array[0, 8].Select(segments => "/" + string.Join('/', segments)).Sample(
            path =>
            {
                var accepted = _rules.TryRead(path);
                Assert.Equal(accepted is not null, Accepts(path));
                if (accepted is null)
                {
                    return;
                }

                Assert.Equal(Path.GetFullPath(path).TrimEnd('/'), accepted);
                Assert.True(
                    accepted.StartsWith("/no-such-root/kubelet/", StringComparison.Ordinal)
                    || accepted.StartsWith("/other/", StringComparison.Ordinal));
                Assert.Equal(accepted, _rules.TryRead(accepted));
            },
            iter: 20_000);
    }

    private bool Accepts(string path)
    {
        try
        {
            _rules.ReadMountPath("f", path);
            return true;
        }
        catch (StorageException e) when (e.Code is StorageErrorCode.InvalidArgument)
        {
            return false;
        }
    }
}
