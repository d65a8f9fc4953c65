"""The compiled channel does what the reference does: same times, counts, commands and order."""

from copy import deepcopy

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hardware.dram.kernels import COMPILED, SIMPY
from tests.hardware.kernels import needs_compiled
from tlm.config.tables.dram_timing import dram_devices, load_dram_timing
from tlm.hardware.dram.driver import DramLoad, drive
from tlm.hardware.dram.patterns import PATTERNS, PatternGeometry, requests
from tlm.hardware.dram.policy import DramPolicy

pytestmark = needs_compiled

MAPS = ("row bank column bankgroup", "row bank bankgroup column", "bankgroup row column bank", None)
DEVICES = st.sampled_from([load_dram_timing(name) for name in dram_devices()])
QUEUES = st.sampled_from([(32, 32, 26, 6), (4, 8, 6, 2), (2, 2, 2, 0), (1, 1, 1, 0)])
POLICIES = st.builds(
    lambda queues, **words: DramPolicy(*queues, **words),
    QUEUES,
    policy=st.sampled_from(("ready-first", "hits-first")),
    page=st.sampled_from(("open", "closed")),
    response_clk=st.sampled_from((0, 1)),
    address_map=st.sampled_from(MAPS),
)
ITEMS = st.lists(
    st.tuples(
        # Since the one before: none, some clocks with a part of one, or past a refresh or several.
        st.one_of(
            st.just(0), st.integers(0, 40_000), st.integers(0, 9_000_000), st.integers(0, 1 << 26)
        ),
        st.integers(0, 1),
        st.integers(0, 3).map(lambda row: row << 20),
        st.integers(0, 4095).map(lambda offset: 31 * offset),
        st.sampled_from((1, 32, 64, 100, 256, 1792)),
    ),
    min_size=1,
    max_size=120,
)


def outcome(kernel, timing, policy, items):
    """All that can be seen of a channel, on its way and at its end."""
    env = kernel.environment()
    seen = []

    def respond(transaction):
        seen.append((env.now, transaction.ident, channel.waiting, deepcopy(channel.counters)))

    channel = kernel.channel(env, timing, respond, policy)
    sent, at = [], 0
    for ident, (gap, command, row, offset, nbytes) in enumerate(items):
        at += gap
        sent.append(kernel.transaction(ident, command, row + offset, nbytes, 0, None))
        kernel.schedule(env, sent[-1], channel, at)
    for stop in (at // 2 + 1, at + 2):
        env.run(until=stop)
        seen.append([transaction.ident for transaction in channel.held()])
    env.run()
    channel.settle()
    times = [(transaction.end_req, transaction.begin_resp) for transaction in sent]
    return seen, times, channel.counters, channel.late, channel.scheduler.log.intervals


@settings(max_examples=300)
@given(DEVICES, POLICIES, ITEMS)
def test_the_same_channel(timing, policy, items):
    """Requests of all sizes, in crowds and after pauses, under every policy and device."""
    compiled, reference = (outcome(kernel, timing, policy, items) for kernel in (COMPILED, SIMPY))
    assert compiled == reference


@settings(max_examples=60)
@given(
    DEVICES,
    POLICIES,
    st.sampled_from(list(PATTERNS)),
    st.sampled_from(("sat", "int:7", "int:2.5", "int:90", "win:1", "win:4", "win:64")),
    st.sampled_from((0, 256)),
)
def test_the_same_measurement(timing, policy, pattern, load, nbytes):
    """Patterns from a source that stands alone, events included."""
    geometry = PatternGeometry(line=nbytes or timing.burst_bytes, span=1 << 24)
    offered = requests(pattern, 600, geometry)
    compiled, reference = (
        drive(timing, offered, DramLoad.parse(load), policy, nbytes, replay=kernel.replay)
        for kernel in (COMPILED, SIMPY)
    )
    assert compiled == reference


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 1)), min_size=10, max_size=60))
def test_the_same_arrivals(items):
    """Clocks that a file gives need not rise; those of one clock arrive in order."""
    timing = load_dram_timing("DDR4-2400")
    offered = [(command, 4096 * number) for number, (_, command) in enumerate(items)]
    clocks = [clock for clock, _ in items]
    compiled, reference = (
        drive(timing, offered, DramLoad(clocks=tuple(clocks)), replay=kernel.replay)
        for kernel in (COMPILED, SIMPY)
    )
    assert compiled == reference


@given(
    st.sampled_from((0.1, 1.0, 3.2, 12.8, 19.207683073229292)),
    st.lists(
        st.tuples(st.integers(0, 50_000), st.integers(0, 1), st.integers(1, 5000)), min_size=1
    ),
)
def test_the_same_ideal_channel(bytes_per_ns, items):
    """Times round up to whole ps in the same way."""
    seen = []
    for kernel in (COMPILED, SIMPY):
        env = kernel.environment()
        sent = []
        channel = kernel.ideal(env, 60_000, bytes_per_ns, lambda t, s=sent: s.append(t.ident))
        transactions = [
            kernel.transaction(ident, command, 0, nbytes, 0, None)
            for ident, (_, command, nbytes) in enumerate(items)
        ]
        for transaction, (at, _, _) in zip(transactions, items, strict=True):
            kernel.schedule(env, transaction, channel, at)
        env.run()
        times = [(transaction.end_req, transaction.begin_resp) for transaction in transactions]
        counts = channel.busy_ps, channel.bytes_read, channel.bytes_written
        seen.append((sent, times, counts))
    assert seen[0] == seen[1]
