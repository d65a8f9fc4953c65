"""A DRAM channel: closed forms, queues, answers, and conservation."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hardware.dram.kernels import SIMPY
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.errors import ConfigError
from tlm.hardware.dram.driver import DramLoad, drive
from tlm.hardware.dram.patterns import PATTERNS, PatternGeometry, requests
from tlm.hardware.dram.policy import DramPolicy
from tlm.hardware.dram.scheduler import Scheduler

DDR4 = load_dram_timing("DDR4-2400")
LPDDR4 = load_dram_timing("LPDDR4-3200")
TCK = DDR4.tck_ps
GEOMETRY = PatternGeometry()
NEXT_ROW = 131072  # same bank of the DDR4 channel


class Bench:
    """A channel, the transactions sent to it, and the times at which answers arrived."""

    def __init__(self, kernel, timing=DDR4, policy=None):
        self.kernel = kernel
        self.env = kernel.environment()
        self.sent = []
        self.answers = []
        self.channel = kernel.channel(self.env, timing, self._answered, policy)

    def _answered(self, transaction):
        self.answers.append((transaction.ident, self.env.now))

    def send(self, at_ps, command, address, nbytes=64):
        """Let a transaction arrive at a time."""
        transaction = self.kernel.transaction(len(self.sent), command, address, nbytes, 0, None)
        self.kernel.schedule(self.env, transaction, self.channel, at_ps - self.env.now)
        self.sent.append(transaction)
        return transaction

    def run(self):
        """Run until nothing is left to do."""
        self.env.run()
        self.channel.settle()
        return self.channel.counters


def latency_clk(transaction):
    """Clocks from acceptance to answer."""
    return (transaction.begin_resp - transaction.end_req) / TCK


def test_unloaded_latencies(kernel):
    """Closed bank tRCD + CL + BL/2, hit CL + BL/2, conflict tRP + tRCD + CL + BL/2."""
    bench = Bench(kernel)
    closed = bench.send(0, 0, 0)
    hit = bench.send(200 * TCK, 0, 256)
    conflict = bench.send(400 * TCK, 0, NEXT_ROW)
    bench.run()
    assert [latency_clk(t) for t in (closed, hit, conflict)] == [38, 21, 55]


def test_acceptance_waits_for_the_clock_edge(kernel):
    """A transaction that arrives between two clocks is accepted at the second."""
    bench = Bench(kernel)
    early = bench.send(TCK + 1, 0, 0)
    bench.run()
    assert early.end_req == 2 * TCK


def test_one_bank_conflicts_are_bound_by_trc(kernel):
    """64 B every tRC, less the share of time spent refreshing."""
    measured = drive(DDR4, requests("conf_1bank", 3000, GEOMETRY), DramLoad(), replay=kernel.replay)
    bound = 64 / (56 * TCK) * (1 - 420 / 9360) * 1000
    assert measured.steady_gb_s == pytest.approx(bound, rel=0.02)


def test_random_reads_are_bound_by_tfaw(kernel):
    """Four activates every tFAW, less refresh."""
    measured = drive(DDR4, requests("rand_rd", 12000, GEOMETRY), DramLoad(), replay=kernel.replay)
    bound = 4 * 64 / (26 * TCK) * (1 - 420 / 9360) * 1000
    assert measured.steady_gb_s == pytest.approx(bound, rel=0.02)


def test_streams_reach_peak_less_refresh(kernel):
    """Sequential reads over interleaved bank groups are bound by the data bus."""
    measured = drive(DDR4, requests("seq_rd", 12000, GEOMETRY), DramLoad(), replay=kernel.replay)
    assert measured.steady_gb_s == pytest.approx(19.2077 * (1 - 420 / 9360), rel=0.02)
    assert measured.counters.row_hit_rate == pytest.approx(0.99, abs=0.005)


def test_one_bank_group_is_bound_by_tccd_l(kernel):
    """A page walked inside one bank group moves 64 B every tCCD_L, here with 4 outstanding."""
    policy = DramPolicy(address_map="row bank bankgroup column")
    measured = drive(
        DDR4, requests("seq_rd", 6000, GEOMETRY), DramLoad(window=8), policy, replay=kernel.replay
    )
    assert measured.steady_gb_s == pytest.approx(12.8, rel=0.05)


def test_saturated_latency_follows_littles_law(kernel):
    """Bursts held = bandwidth x time held: the queue's 32, and those whose row is being opened."""
    measured = drive(DDR4, requests("rand_rd", 6000, GEOMETRY), DramLoad(), replay=kernel.replay)
    opening = 17 * 4 / 26  # tRCD each, four every tFAW
    assert measured.counters.queue_time_ps / measured.time_ps == pytest.approx(
        32 + opening, rel=0.03
    )


def test_write_answer(kernel):
    """A write to a closed bank is answered at its WR."""
    bench = Bench(kernel)
    write = bench.send(0, 1, 0)
    bench.run()
    assert latency_clk(write) == 17
    assert bench.answers == [(0, write.begin_resp)]


def test_response_clocks_are_added(kernel):
    """They follow the last beat of a read."""
    bench = Bench(kernel, policy=DramPolicy(response_clk=2))
    read = bench.send(0, 0, 0)
    bench.run()
    assert latency_clk(read) == 38 + 2


def test_long_transaction_ends_with_its_last_burst(kernel):
    """256 B of one row are four bursts, tCCD apart."""
    bench = Bench(kernel, LPDDR4)
    read = bench.send(0, 0, 0, nbytes=256)
    counters = bench.run()
    assert read.begin_resp == (29 + 3 + 28 + 6 + 8 + 3 * 8) * 625  # CL counts from the fourth clock
    assert (counters.reads, counters.bytes_read, counters.activates) == (4, 256, 1)


def test_unaligned_transaction_moves_whole_bursts(kernel):
    """100 B that touch three bursts of 64 B cost three, and count 100 B."""
    bench = Bench(kernel, LPDDR4)
    bench.send(0, 0, 60, nbytes=100)
    counters = bench.run()
    assert (counters.reads, counters.bytes_read) == (3, 100)


def test_full_queue_blocks_those_behind(kernel):
    """A read that finds no room holds up the write behind it."""
    bench = Bench(kernel, policy=DramPolicy(read_queue=1))
    opened, queued, third = (bench.send(0, 0, row * NEXT_ROW) for row in range(3))
    write = bench.send(0, 1, 64)
    bench.run()
    assert opened.end_req == queued.end_req == 0  # a row is being opened for the first
    assert third.end_req == queued.begin_resp - 38 * TCK  # when the second's row is opened
    assert write.end_req == third.end_req


def test_hits_are_served_before_an_older_conflict(kernel):
    """First ready: of a conflict and a younger hit that wait together, the hit goes first."""
    bench = Bench(kernel)
    for ident, address in enumerate((0, NEXT_ROW, 256)):
        assert bench.send(0, 0, address).ident == ident
    bench.run()
    assert [ident for ident, _ in bench.answers] == [0, 2, 1]


def test_a_late_hit_cancels_the_precharge(kernel):
    """A hit that comes before the precharge is legal keeps the row; after it, the row is gone."""
    for at_clk, order in ((38, [0, 2, 1]), (40, [0, 1, 2])):  # tRAS = 39
        bench = Bench(kernel)
        bench.send(0, 0, 0)
        bench.send(1 * TCK, 0, NEXT_ROW)
        bench.send(at_clk * TCK, 0, 256)
        bench.run()
        assert [ident for ident, _ in bench.answers] == order


def test_closed_page_never_hits(kernel):
    """Every transaction activates its row anew."""
    policy = DramPolicy(page="closed")
    measured = drive(
        DDR4, requests("seq_rd", 200, GEOMETRY), DramLoad(), policy, replay=kernel.replay
    )
    assert measured.counters.activates == measured.counters.precharges == 200


def test_writes_wait_for_the_watermark(kernel):
    """While reads wait, writes are left alone until their high watermark, then drained to low."""
    policy = DramPolicy(write_high=8, write_low=2)
    bench = Bench(kernel, policy=policy)
    reads = [bench.send(0, 0, i * NEXT_ROW) for i in range(30)]
    writes = [bench.send(0, 1, 64 + i * NEXT_ROW) for i in range(7)]
    eighth = bench.send(100 * TCK, 1, 64 + 7 * NEXT_ROW)
    bench.run()
    assert min(t.begin_resp for t in writes) > eighth.end_req
    served = [ident for ident, _ in sorted(bench.answers, key=lambda answer: answer[1])]
    first = served.index(writes[0].ident)
    drained = served[first : first + 7]
    assert sum(ident >= len(reads) for ident in drained) == 6


def test_a_first_read_that_cuts_a_run_of_writes_delays_no_answer(kernel):
    """At the low watermark the run ends early; the write whose row is open answers on time."""
    bench = Bench(kernel, LPDDR4)
    bench.send(0, 1, 0, 256)  # four bursts, of which the read lets two go
    other_bank = bench.send(0, 1, 4096, 64)
    bench.send(0, 1, 256, 192)
    bench.send(31 * LPDDR4.tck_ps, 0, 8192, 64)
    bench.run()
    first_write = LPDDR4.trcd_clk * LPDDR4.tck_ps
    assert other_bank.begin_resp == first_write + 2 * LPDDR4.burst_clk * LPDDR4.tck_ps
    assert bench.channel.late == 0


def test_idle_refreshes_are_counted(kernel):
    """A channel left alone refreshes once every tREFI, without a single event."""
    bench = Bench(kernel)
    bench.send(0, 0, 0)
    bench.run()
    bench.env.run(until=1000 * 9360 * TCK + 1)
    bench.channel.settle()
    counters = bench.channel.counters
    assert (counters.refreshes, counters.precharges) == (1000, 1)


def test_refresh_delays_a_request_by_trfc(kernel):
    """A read that arrives at the start of a refresh waits for it: tRFC, then a closed bank."""
    bench = Bench(kernel)
    read = bench.send(9360 * TCK, 0, 0)
    bench.run()
    assert latency_clk(read) == 420 + 38


TRANSACTIONS = st.lists(
    st.tuples(
        st.integers(0, 60),  # clocks since the one before
        st.booleans(),
        st.integers(0, 3),  # row
        st.integers(0, 2047),  # 64 B within 128 KiB
        st.sampled_from((16, 64, 256)),
    ),
    min_size=1,
    max_size=80,
)
POLICIES = st.sampled_from(
    [
        DramPolicy(),
        DramPolicy(4, 8, write_high=6, write_low=2),
        DramPolicy(page="closed"),
        DramPolicy(2, 2, write_high=2, write_low=0),
    ]
)


def replay(kernel, timing, policy, items, poke=False):
    """Send generated transactions; optionally wake the channel at every clock on top."""
    bench = Bench(kernel, timing, policy)
    at = 0
    for gap, write, row, line, nbytes in items:
        at += gap * timing.tck_ps
        bench.send(at, int(write), row * NEXT_ROW + line * 64, nbytes)
    for clock in range(at // timing.tck_ps + 4000 if poke else 0):
        bench.env.timeout(clock * timing.tck_ps).callbacks.append(bench.channel.callbacks[0])
    return bench, bench.run()


@settings(max_examples=60)
@given(TRANSACTIONS, POLICIES, st.sampled_from((DDR4, LPDDR4)))
def test_everything_is_answered_once(kernel, items, policy, timing):
    """Each transaction is answered exactly once, in causal order, and every byte is counted."""
    bench, counters = replay(kernel, timing, policy, items)
    assert sorted(ident for ident, _ in bench.answers) == list(range(len(items)))
    assert dict(bench.answers) == {t.ident: t.begin_resp for t in bench.sent}
    assert bench.channel.waiting == 0
    assert all(t.end_req <= t.begin_resp for t in bench.sent)
    assert all(
        t.end_req <= after.end_req for t, after in zip(bench.sent, bench.sent[1:], strict=False)
    )
    offered = [sum(t.nbytes for t in bench.sent if t.command == c) for c in (0, 1)]
    assert [counters.bytes_read, counters.bytes_written] == offered
    assert counters.row_hits + counters.row_misses == counters.reads + counters.writes
    assert 0 <= counters.activates - counters.precharges <= timing.banks


@settings(max_examples=25)
@given(TRANSACTIONS, POLICIES)
def test_joined_bursts_equal_single_ones(items, policy):
    """Issuing bursts of a run together changes no time and no count."""
    joined, joined_counters = replay(SIMPY, LPDDR4, policy, items)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scheduler, "_bursts_at_once", lambda *_: 1)
        single, single_counters = replay(SIMPY, LPDDR4, policy, items)
    assert sorted(joined.answers) == sorted(single.answers)
    assert joined_counters == single_counters


@pytest.mark.parametrize("load", ["sat", "win:16", "int:35"])
@pytest.mark.parametrize("pattern", ["seq_rd", "mix21_seq", "burst4k_mix"])
def test_joined_bursts_equal_single_ones_across_refreshes(pattern, load):
    """The same over several refresh intervals of 256 B transactions in streams and blocks."""
    offered = requests(pattern, 1500, PatternGeometry(line=256, page=4096, span=1 << 24))
    joined = drive(LPDDR4, offered, DramLoad.parse(load), nbytes=256)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scheduler, "_bursts_at_once", lambda *_: 1)
        single = drive(LPDDR4, offered, DramLoad.parse(load), nbytes=256)
    assert joined.counters.refreshes > 5
    assert (joined.counters, joined.time_ps) == (single.counters, single.time_ps)
    assert joined.read_latency_ns == single.read_latency_ns


@settings(max_examples=10)
@given(TRANSACTIONS, POLICIES, st.sampled_from((DDR4, LPDDR4)))
def test_waking_more_often_changes_nothing(items, policy, timing):
    """The channel wakes only when needed; waking it at every clock gives the same answers."""
    lazy, lazy_counters = replay(SIMPY, timing, policy, items)
    eager, eager_counters = replay(SIMPY, timing, policy, items, poke=True)
    assert sorted(lazy.answers) == sorted(eager.answers)
    assert lazy_counters.bursts == eager_counters.bursts
    assert lazy_counters.activates == eager_counters.activates


def test_two_runs_agree(kernel):
    """The same requests give the same times."""
    runs = [
        drive(DDR4, requests("mix21_rand", 500, GEOMETRY), DramLoad(), replay=kernel.replay)
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("name", PATTERNS)
def test_every_pattern_runs(kernel, name):
    """Each pattern is a pure function and is served completely under a closed loop."""
    offered = requests(name, 200, GEOMETRY)
    assert offered == requests(name, 200, GEOMETRY)
    measured = drive(DDR4, offered, DramLoad(window=8), replay=kernel.replay)
    assert measured.counters.reads == sum(command == 0 for command, _ in offered)
    assert measured.counters.writes == sum(command == 1 for command, _ in offered)


@pytest.mark.parametrize("text", ["win:0", "win:1.5", "int:", "fast", "int:-3"])
def test_wrong_load_is_refused(text):
    """A load is sat, int:CLOCKS or win:REQUESTS."""
    with pytest.raises(ConfigError, match="expected sat, int:CLOCKS or win:REQUESTS"):
        DramLoad.parse(text)


def test_wrong_policy_is_refused():
    """Watermarks have to fit the queue, words have to be known."""
    with pytest.raises(ConfigError, match="write_low < write_high <= write_queue, got 6, 26, 16"):
        DramPolicy(write_queue=16)
    with pytest.raises(ConfigError, match="'ajar' is neither"):
        DramPolicy(page="ajar")
    with pytest.raises(ConfigError, match="pattern 'zigzag' is unknown"):
        requests("zigzag", 1, GEOMETRY)


def test_ideal_dram_is_latency_and_bandwidth(kernel):
    """Two 256 B reads at 12.8 B/ns follow each other by 20 ns, each 60 ns after its data."""
    env = kernel.environment()
    answers = []
    dram = kernel.ideal(env, 60_000, 12.8, lambda t: answers.append((t.ident, env.now)))
    for ident in range(2):
        kernel.schedule(env, kernel.transaction(ident, 0, 0, 256, 0, None), dram, 0)
    env.run()
    assert answers == [(0, 80_000), (1, 100_000)]
    assert (dram.bytes_read, dram.busy_ps) == (512, 40_000)


# Arrival in ns, command, address, size: shrunk from a run of a job. The last read ends a drain at
# its low watermark; a row already opened for another write is then used before the run that the
# channel had meant to wake up for.
CUT_SHORT = [
    (0, 0, 483328, 64), (198838.75, 1, 685824, 256), (199045, 0, 1143808, 256),
    (199046.875, 0, 1144064, 256), (199080.625, 1, 691968, 256), (199153.75, 0, 1143808, 256),
    (199156.25, 0, 1144064, 256), (199235.625, 0, 1138688, 256), (199237.5, 0, 1138944, 256),
    (199239.375, 0, 1139200, 256), (199241.25, 0, 1139456, 256), (199260.625, 0, 1145344, 256),
    (199262.5, 0, 1145600, 256), (199421.25, 0, 1144320, 256), (199423.125, 0, 1144576, 256),
    (199436.25, 0, 1138688, 256), (199438.75, 0, 1138944, 256), (199440.625, 0, 1139200, 256),
    (199442.5, 0, 1139456, 256), (199452.5, 1, 709184, 56), (199520.625, 1, 725568, 56),
    (199526.875, 0, 1143808, 256), (199528.75, 0, 1144064, 256), (199553.125, 0, 1144832, 256),
    (199555, 0, 1145088, 256), (199650, 0, 1141760, 256), (199652.5, 0, 1142016, 256),
    (199722.5, 0, 1144320, 256), (199724.375, 0, 1144576, 256), (199801.25, 1, 732304, 14),
    (199826.25, 0, 1144320, 256), (199828.125, 0, 1144576, 256), (199837.5, 1, 736400, 14),
    (199953.125, 0, 1142528, 256),
]  # fmt: skip


def test_no_answer_is_late_when_a_read_cuts_a_drain_short(kernel):
    """The channel looks again when a read arrives while writes are drained."""
    bench = Bench(kernel, LPDDR4)
    for at_ns, command, address, nbytes in CUT_SHORT:
        bench.send(round(1000 * at_ns), command, address, nbytes)
    bench.run()
    assert bench.channel.late == 0
    assert len(bench.answers) == len(CUT_SHORT)
