using Carina.Grains.Configuration;

namespace Carina.Grains.Tests.Configuration;

public sealed class ByteQuantityTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("123", 123)]
    [InlineData("+5", 5)]
    [InlineData("10Gi", 10L << 30)]
    [InlineData("1.5Gi", 3L << 29)]
    [InlineData(".5Ki", 512)]
    [InlineData("1.", 1)]
    [InlineData("500M", 500_000_000)]
    [InlineData("2k", 2000)]
    [InlineData("1E", 1_000_000_000_000_000_000)]
    [InlineData("1E3", 1000)]
    [InlineData("1e9", 1_000_000_000)]
    [InlineData("1.5e+3", 1500)]
    [InlineData("7Ei", 7L << 60)]
    [InlineData("0.1", 1)]
    [InlineData("0.1Gi", 107374183)]
    [InlineData("9223372036854775807", long.MaxValue)]
    public void Quantities_are_read_as_Kubernetes_writes_them(string text, long bytes)
    {
        Assert.True(ByteQuantity.TryParse(text, out var actual, out _));
        Assert.Equal(bytes, actual);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Gi")]
    [InlineData("-1Gi")]
    [InlineData("10GB")]
    [InlineData("10gi")]
    [InlineData("10 Gi")]
    [InlineData("1K")]
    [InlineData("1ki")]
    [InlineData("100m")]
    [InlineData("1,5Gi")]
    [InlineData("1.2.3")]
    [InlineData("0x10")]
    [InlineData("1e-3")]
    [InlineData("1e19")]
    [InlineData("1e")]
    [InlineData("8Ei")]
    [InlineData("9223372036854775808")]
    [InlineData("99999999999999999999999999999999999999999999")]
    [InlineData("١٠")]
    [InlineData("10\0")]
    public void Other_text_is_no_quantity(string text)
    {
        Assert.False(ByteQuantity.TryParse(text, out _, out var problem));
        Assert.NotEqual("", problem);
    }
}
