using Carina.CsiGateway.Validation;
using Carina.Grains.Errors;
using CsCheck;
using Csi.V1;

namespace Carina.CsiGateway.Tests.Validation;

public sealed class CapacityRulesTests
{
    private static readonly Gen<long> _bytes = Gen.OneOf(
        Gen.Long,
        Gen.Long[-2, 4L << 30],
        Gen.OneOf(0L, 300L << 20, 1L << 60, (1L << 60) + 1, long.MaxValue, long.MinValue));

    [Fact]
    public void An_accepted_size_keeps_to_the_range_and_suits_the_file_system() => Gen
        .Select(_bytes, _bytes, Gen.OneOf("", "ext4", "xfs", "btrfs"))
        .Sample(
            (required, limit, fileSystem) =>
            {
                var range = new CapacityRange { RequiredBytes = required, LimitBytes = limit };
                RequestedSize size;
                try
                {
                    size = CapacityRules.ReadNew(range, fileSystem);
                }
                catch (StorageException e)
                {
                    var contradicts = required < 0 || limit < 0 || (limit > 0 && limit < required);
                    Assert.Equal(contradicts ? StorageErrorCode.InvalidArgument : StorageErrorCode.OutOfRange, e.Code);
                    return;
                }

                Assert.InRange(size.RequiredBytes, Math.Max(required, 1), CapacityRules.MaximumBytes);
                Assert.True(size.RequiredBytes >= FileSystems.MinimumBytes(fileSystem));
                Assert.True(limit == 0 || size.RequiredBytes <= limit);
                Assert.Equal(limit, size.LimitBytes);
            },
            iter: 20_000);
}
