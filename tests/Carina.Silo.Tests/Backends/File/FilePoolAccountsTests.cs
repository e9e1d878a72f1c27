using Carina.Silo.Backends.Files;
using CsCheck;

namespace Carina.Silo.Tests.Backends.Files;

public sealed class FilePoolAccountsTests
{
    [Fact]
    public void All_pools_of_a_file_system_together_never_promise_what_others_have_taken()
    {
        var cases = Gen.Select(Gen.Long[1, 1000], Gen.Double[0, 1], Gen.Double[0, 1], Gen.Long[1, 1500].Array[1, 4]);
        cases.Sample((size, used, own, limits) =>
        {
            var available = size - (long)(size * used);
            var allocated = (long)((size - available) * own);
            var others = size - available - allocated;
            var promised = limits.Sum(limit =>
            {
                var accounts = new FilePoolAccounts(
                    size, available, allocated, limits.Sum(each => FilePoolAccounts.SizeOf(size, each)), limit);
                return accounts.Size - accounts.Foreign;
            });
            return promised <= size - others;
        });
    }

    [Theory]
    [InlineData(0, 1000, 100)]
    [InlineData(5000, 1000, 100)]
    [InlineData(950, 950, 50)]
    [InlineData(900, 900, 0)]
    public void One_pool_gets_all_that_its_limit_and_others_leave(long limit, long size, long foreign)
    {
        var accounts = new FilePoolAccounts(1000, 600, 300, FilePoolAccounts.SizeOf(1000, limit), limit);
        Assert.Equal((size, foreign), (accounts.Size, accounts.Foreign));
    }
}
