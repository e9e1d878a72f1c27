using System.Net;
using Carina.Silo.Membership.Patience;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Carina.Silo.Tests.Membership.Patience;

/// <summary>When a vote against a silo counts. With real silos: SilentSiloTests.</summary>
public sealed class SiloPatienceTests
{
    private static readonly SiloAddress _self = SiloAddress.New(IPAddress.Parse("10.0.0.1"), 11111, 7);
    private static readonly SiloAddress _other = SiloAddress.New(IPAddress.Parse("10.0.0.2"), 11111, 5);

    private readonly FakeTimeProvider _time = new();
    private readonly Door _door = new();
    private readonly List<SiloAddress> _rows = [];
    private readonly SiloPatience _patience;

    public SiloPatienceTests() => _patience = new(
        _door, new Self(), Options.Create(new PatienceOptions()), _time, NullLogger<SiloPatience>.Instance);

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
        _rows.Add(SiloAddress.New(_other.Endpoint, _other.Generation + 1));
        Assert.True(await VoteAsync(_other));
    }

    [Fact]
    public async Task Our_own_row_and_those_of_who_was_here_before_us_are_ours_to_write()
    {
        Assert.True(await VoteAsync(_self));
        Assert.True(await VoteAsync(SiloAddress.New(_self.Endpoint, 3)));
        Assert.Empty(_door.Asked);
    }

    [Fact]
    public async Task An_order_counts_at_once_and_a_death_by_votes_does_not()
    {
        var dead = new MembershipEntry { SiloAddress = _other, Status = SiloStatus.Dead };
        dead.AddSuspector(_self, default);
        Assert.True(await CountsAsync(dead));
        dead.AddSuspector(_self, default);
        Assert.False(await CountsAsync(dead));
    }

    private Task<bool> VoteAsync(SiloAddress silo) => CountsAsync(new() { SiloAddress = silo });

    private async Task<bool> CountsAsync(MembershipEntry entry) =>
        !await _patience.HoldsBackAsync(entry, _rows, TestContext.Current.CancellationToken);

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
}
