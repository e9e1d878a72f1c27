using System.Net;
using Carina.Silo.Membership.Patience;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Carina.Silo.Tests.Membership.Patience;

/// <summary>When a vote against a silo counts. With real silos: SilentSiloTests.</summary>
public sealed class PatientMembershipTableTests
{
    private static readonly SiloAddress _self = SiloAddress.New(IPAddress.Parse("10.0.0.1"), 11111, 7);
    private static readonly SiloAddress _other = SiloAddress.New(IPAddress.Parse("10.0.0.2"), 11111, 5);

    private readonly FakeTimeProvider _time = new();
    private readonly Door _door = new();
    private readonly Table _inner = new();
    private readonly PatientMembershipTable _table;

    public PatientMembershipTableTests() => _table = new(
        _inner, _door, new Self(), Options.Create(new PatienceOptions()), _time, NullLogger<PatientMembershipTable>.Instance);

    [Fact]
    public async Task Where_nobody_is_the_vote_counts_at_once()
    {
        _door.Open = false;
        Assert.True(await VoteAsync(_other));
    }

    [Fact]
    public async Task Where_somebody_is_it_counts_after_the_patience_and_not_before()
    {
        for (var second = 0; second < 30; second++)
        {
            Assert.False(await VoteAsync(_other));
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.True(await VoteAsync(_other));
    }

    [Fact]
    public async Task Another_stall_begins_anew()
    {
        Assert.False(await VoteAsync(_other));
        for (var stall = 0; stall < 4; stall++)
        {
            _time.Advance(TimeSpan.FromSeconds(16));
            Assert.False(await VoteAsync(_other));
        }
    }

    [Fact]
    public async Task One_whose_successor_answers_is_dead()
    {
        _inner.Rows = [SiloAddress.New(_other.Endpoint, _other.Generation + 1)];
        Assert.True(await VoteAsync(_other));
    }

    [Fact]
    public async Task Our_own_row_and_those_of_who_was_here_before_us_are_ours_to_write()
    {
        Assert.True(await VoteAsync(_self));
        Assert.True(await VoteAsync(SiloAddress.New(_self.Endpoint, 3)));
        Assert.Empty(_door.Asked);
    }

    private Task<bool> VoteAsync(SiloAddress silo) =>
        _table.UpdateRowAsync(new() { SiloAddress = silo }, "etag", new(2, "etag"), TestContext.Current.CancellationToken);

    private sealed class Door : ISiloDoor
    {
        public bool Open { get; set; } = true;

        public List<IPEndPoint> Asked { get; } = [];

        public Task<bool> IsThereAsync(IPEndPoint silo, CancellationToken cancellationToken)
        {
            Asked.Add(silo);
            return Task.FromResult(Open);
        }
    }

    private sealed class Self : ILocalSiloDetails
    {
        public string Name => "self";

        public string ClusterId => "test";

        public string DnsHostName => "self";

        public SiloAddress SiloAddress => _self;

        public SiloAddress GatewayAddress => _self;
    }

    /// <summary>Takes every write.</summary>
    private sealed class Table : IMembershipTable
    {
        public List<SiloAddress> Rows { get; set; } = [];

        public Task<MembershipTableData> ReadAll() => Task.FromResult(new MembershipTableData(
            [.. Rows.Select(r => Tuple.Create(new MembershipEntry { SiloAddress = r }, "etag"))], new(1, "etag")));

        public Task<bool> UpdateRow(MembershipEntry entry, string etag, TableVersion tableVersion) => Task.FromResult(true);

        public Task InitializeMembershipTable(bool tryInitTableVersion) => throw new NotSupportedException();

        public Task DeleteMembershipTableEntries(string clusterId) => throw new NotSupportedException();

        public Task CleanupDefunctSiloEntries(DateTimeOffset beforeDate) => throw new NotSupportedException();

        public Task<MembershipTableData> ReadRow(SiloAddress key) => throw new NotSupportedException();

        public Task<bool> InsertRow(MembershipEntry entry, TableVersion tableVersion) => throw new NotSupportedException();

        public Task UpdateIAmAlive(MembershipEntry entry) => throw new NotSupportedException();
    }
}
