"""Engines and their DMA: double buffering, stall reasons, intervals, the window."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hardware.core.bench import BP0, CYCLE, FP0, FP1, LATENCY, UNIT, WG0, mesh_ps
from tests.hardware.kernels import CHIP_KERNELS, REFERENCE, needs_compiled, tuples
from tests.program.jobs import IDEAL_DRAM, built, conv, job, linear
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.errors import TraceError
from tlm.hardware.chip import unit_names
from tlm.kernel import StuckError, run_until
from tlm.space.packets import AddressSplit
from tlm.space.phase import Command, Phase
from tlm.space.trace_rows import EngineState


def test_a_tile_computes_when_its_read_is_there(new_bench):
    """One read of 256 B beside the channel: request, DRAM, response; then the tile's cycles."""
    bench = new_bench()
    bench.add(FP0, 100, reads=((0, 256),))
    chip = bench.run()
    there = bench.read_ps(256)
    assert bench.intervals(FP0) == [
        (EngineState.STALL_DRAM, 0, there),
        (EngineState.COMPUTE, there, there + 100 * CYCLE),
    ]
    assert chip.env.now == there + 100 * CYCLE


def test_the_next_tiles_read_overlaps_this_tiles_computing(new_bench):
    """Double buffering: the read of tile n + 1 starts when tile n starts, not earlier or later."""
    bench = new_bench()
    for tile in range(3):
        bench.add(FP0, 1000, reads=((tile * 1024, 256),))
    bench.run()
    there = bench.read_ps(256)
    starts = [there + n * 1000 * CYCLE for n in range(4)]
    assert bench.intervals(FP0) == [
        (EngineState.STALL_DRAM, 0, there),
        *((EngineState.COMPUTE, starts[n], starts[n + 1]) for n in range(3)),
    ]
    begins = [row[1] for row in bench.transactions]
    assert begins == [0, 0, starts[1]]


def test_a_read_longer_than_the_computing_stalls_for_the_rest(new_bench):
    """Tile 1 waits for what its read lacks when tile 0 is done."""
    bench = new_bench()
    bench.add(FP0, 1)
    bench.add(FP0, 1, reads=((0, 256),))
    bench.run()
    there = bench.read_ps(256)
    assert bench.intervals(FP0) == [
        (EngineState.COMPUTE, 0, CYCLE),
        (EngineState.STALL_DRAM, CYCLE, there),
        (EngineState.COMPUTE, there, there + CYCLE),
    ]


def test_waiting_for_a_message_is_dependency_until_it_is_posted_then_noc(new_bench):
    """Core 1 waits for spikes of core 0: for the producer until cycle 500, then for the mesh."""
    bench = new_bench()
    ident = bench.done.ident("spikes")
    bench.add(FP0, 500, messages=(bench.message(1, 256, ident),))
    bench.add(FP1, 3)
    bench.add(FP1, 10, needs=(ident,))
    chip = bench.run()
    posted = 500 * CYCLE
    there = posted + mesh_ps(1, 256)
    assert bench.intervals(FP1) == [
        (EngineState.COMPUTE, 0, 3 * CYCLE),
        (EngineState.STALL_DEPENDENCY, 3 * CYCLE, posted),
        (EngineState.STALL_NOC, posted, there),
        (EngineState.COMPUTE, there, there + 10 * CYCLE),
    ]
    assert chip.engines[UNIT[FP1]].awaited_ps == {
        (Phase.FP, 0): {(Phase.FP, 0, UNIT[FP0]): posted - 3 * CYCLE}
    }


def test_a_message_under_way_since_time_zero_is_waited_for_on_the_mesh(new_bench):
    """A tile without cycles sends at time 0; nobody has waited for its work."""
    bench = new_bench()
    ident = bench.done.ident("spikes")
    bench.add(FP0, messages=(bench.message(1, 256, ident),))
    bench.add(FP1, 10, needs=(ident,))
    bench.run()
    assert bench.intervals(FP1)[0] == (EngineState.STALL_NOC, 0, mesh_ps(1, 256))


@pytest.mark.parametrize(
    ("earlier", "state"),
    [(Phase.FP, EngineState.NOT_BEGUN), (Phase.WG, EngineState.STALL_DEPENDENCY)],
)
def test_what_is_read_too_early_to_matter_is_no_wait_for_dram(earlier, state, new_bench):
    """WG's input is in DRAM long before its dY is made: until then it waits for dY."""
    bench = new_bench()
    saved = bench.done.expect(bench.done.ident("saved"))
    made = bench.done.expect(bench.done.ident("dY"))
    bench.add(FP0, 40, writes=((0, 256),), saves=(saved,))
    bench.add(BP0, 5000, signals=(made,))
    first = bench.add(WG0, 1)
    bench.tiles[0]["wg"] = [replace(first, phase=earlier)]
    bench.add(WG0, 10, needs=(made,), read_needs=(saved,), reads=((0, 256),))
    bench.run()
    assert bench.intervals(WG0)[1:] == [
        (state, CYCLE, 5000 * CYCLE),
        (EngineState.COMPUTE, 5000 * CYCLE, 5010 * CYCLE),
    ]


def test_an_engine_whose_pass_has_not_begun_waits_for_no_producer(new_bench):
    """A signal takes no time: BP starts when FP is done, and has lost nothing before."""
    bench = new_bench()
    ident = bench.done.expect(bench.done.ident("signal"))
    bench.add(FP0, 300, signals=(ident,))
    bench.add(BP0, 10, needs=(ident,))
    chip = bench.run()
    assert bench.intervals(BP0) == [
        (EngineState.NOT_BEGUN, 0, 300 * CYCLE),
        (EngineState.COMPUTE, 300 * CYCLE, 310 * CYCLE),
    ]
    assert chip.engines[UNIT[BP0]].awaited_ps == {}


@pytest.mark.parametrize(
    ("earlier", "later", "state"),
    [
        (Phase.FP, Phase.NORM, EngineState.STALL_DEPENDENCY),
        (Phase.FP, Phase.RECOMPUTE, EngineState.NOT_BEGUN),
        (Phase.LOSS, Phase.GRAD, EngineState.STALL_DEPENDENCY),
        (Phase.NORM_GRAD, Phase.BP, EngineState.STALL_DEPENDENCY),
        (Phase.WG, Phase.REDUCE, EngineState.NOT_BEGUN),
        (Phase.UPDATE, Phase.REDUCE, EngineState.STALL_DEPENDENCY),
        (Phase.UPDATE, Phase.WG, EngineState.NOT_BEGUN),
    ],
)
def test_a_pass_begins_with_the_first_tile_that_computes(earlier, later, state, new_bench):
    """What an engine did before counts for the pass that it was part of, not for another."""
    bench = new_bench()
    ident = bench.done.expect(bench.done.ident("signal"))
    bench.add(FP1, 300, signals=(ident,))
    first, second = bench.add(FP0, 10), bench.add(FP0, 10, needs=(ident,))
    bench.tiles[0]["fp"] = [replace(first, phase=earlier), replace(second, phase=later)]
    bench.run()
    assert bench.intervals(FP0)[1] == (state, 10 * CYCLE, 300 * CYCLE)


def test_waiting_for_a_late_signal_is_dependency_although_a_message_came_early(new_bench):
    """A completion by a message and a signal: who waits for the later signal waits for no mesh."""
    bench = new_bench()
    ident = bench.done.expect(bench.done.ident("halo"))
    bench.add(FP1, 20, messages=(bench.message(0, 256, ident),))
    bench.add(FP0, 1000, signals=(ident,))
    bench.add(BP0, 1)
    bench.add(BP0, 10, needs=(ident,))
    chip = bench.run()
    assert bench.intervals(BP0) == [
        (EngineState.COMPUTE, 0, CYCLE),
        (EngineState.STALL_DEPENDENCY, CYCLE, 1000 * CYCLE),
        (EngineState.COMPUTE, 1000 * CYCLE, 1010 * CYCLE),
    ]
    assert chip.engines[UNIT[BP0]].awaited_ps == {
        (Phase.BP, 0): {(Phase.FP, 0, UNIT[FP0]): 999 * CYCLE}
    }


@pytest.mark.parametrize("first", ["FP's", "BP's"])
@pytest.mark.parametrize("kind", ["needs", "read_needs", "both"])
def test_of_producers_that_are_done_at_one_time_the_first_is_waited_for(new_bench, first, kind):
    """The first of those whose data are read, then of the others, in the order of the tile."""
    bench = new_bench()
    idents = {name: bench.done.expect(bench.done.ident(name)) for name in ("FP's", "BP's")}
    bench.add(FP0, 500, signals=(idents["FP's"],))
    bench.add(BP0, 500, signals=(idents["BP's"],))
    bench.add(WG0, 1)
    ahead, after = sorted(idents.values(), reverse=first != "FP's")
    awaited = {"needs": (ahead, after)} if kind == "needs" else {"read_needs": (ahead, after)}
    if kind == "both":
        awaited = {"needs": (after,), "read_needs": (ahead,)}
    bench.add(WG0, 10, **awaited)
    chip = bench.run()
    producer = (Phase.FP, 0, UNIT[FP0]) if first == "FP's" else (Phase.BP, 0, UNIT[BP0])
    assert chip.engines[UNIT[WG0]].awaited_ps == {(Phase.WG, 0): {producer: 499 * CYCLE}}


class HastyTile:
    """A tile whose engine does not see, when it would wait, what the tile needs."""

    def __init__(self, tile, **needs):
        self._tile, self._asked, self._needs = tile, set(), needs

    def __getattr__(self, name):
        if name in self._needs and name in self._asked:
            return self._needs[name]
        self._asked.add(name)
        return () if name in self._needs else getattr(self._tile, name)


@pytest.mark.parametrize("kind", ["needs", "read_needs"])
@pytest.mark.parametrize(("order", "early"), [("late", 1), ("late met", 1), ("met", 0)])
def test_a_tile_that_computes_too_early_is_counted(new_bench, kind, order, early):
    """No engine does so; the count is what the law of tiles and their needs goes by."""
    bench = new_bench()
    idents = {"late": bench.done.ident("late"), "met": bench.done.ident("met")}
    for ident in idents.values():
        bench.done.expect(ident)
    bench.add(BP0, 500, signals=(idents["late"],))
    bench.add(FP0, signals=(idents["met"],))
    tile = bench.add(FP0, 10)
    needs = tuple(idents[word] for word in order.split())
    bench.tiles[0]["fp"][-1] = HastyTile(tile, **{kind: needs})
    chip = bench.run()
    assert [engine.early for engine in chip.engines[:2]] == [early, 0]


def test_a_read_of_what_is_still_computed_waits_for_producer_then_dram(new_bench):
    """WG reads what FP saves: no fetch before the write is acknowledged, both legs told apart."""
    bench = new_bench()
    saved = bench.done.expect(bench.done.ident("saved"))
    bench.add(FP0, 400, writes=((0, 256),), saves=(saved,))
    bench.add(WG0, 1)
    bench.add(WG0, 10, read_needs=(saved,), reads=((0, 256),))
    bench.run()
    posted = 400 * CYCLE
    in_dram = posted + mesh_ps(0, 256) + bench.bus(256) + LATENCY
    there = in_dram + bench.read_ps(256)
    intervals = bench.intervals(WG0)
    assert intervals[1] == (EngineState.STALL_DEPENDENCY, CYCLE, posted)
    assert {what for what, _, _ in intervals[2:-1]} == {EngineState.STALL_DRAM}
    assert intervals[-1] == (EngineState.COMPUTE, there, there + 10 * CYCLE)
    read = next(row for row in bench.transactions if row[7] == Command.READ)
    assert read[1] == in_dram


def test_a_tile_ahead_is_fetched_as_soon_as_its_data_are_saved(new_bench):
    """Whatever the engine does meanwhile: all that it reads is there when it comes to the tile."""
    bench = new_bench()
    saved = bench.done.expect(bench.done.ident("saved"))
    bench.add(FP0, 400, writes=((0, 64),), saves=(saved,))
    bench.add(WG0, 3000)
    bench.add(WG0, 10, read_needs=(saved,), reads=((0, 64),))
    bench.run()
    read = next(row for row in bench.transactions if row[7] == Command.READ)
    write = next(row for row in bench.transactions if row[7] == Command.WRITE)
    assert read[1] == write[4]
    assert {what for what, _, _ in bench.intervals(WG0)} == {EngineState.COMPUTE}


@pytest.mark.parametrize("begin", [0, 100])
def test_empty_reads_of_data_that_are_saved_late_hold_up_nothing(new_bench, begin):
    """The tile computes when the write that it waits for is acknowledged."""
    bench = new_bench()
    saved = bench.done.expect(bench.done.ident("saved"))
    bench.add(FP0, 400, writes=((0, 64),), saves=(saved,))
    bench.add(WG0, 10, read_needs=(saved,), reads=((begin, 0),))
    bench.run()
    write = next(row for row in bench.transactions if row[7] == Command.WRITE)
    assert bench.intervals(WG0)[-1][1:] == (write[4], write[4] + 10 * CYCLE)
    assert len(bench.transactions) == 1


@pytest.mark.parametrize(("phase", "early"), [(Phase.GRAD, True), (Phase.BP, False)])
def test_units_that_read_nothing_hold_up_no_fetch(phase, early, new_bench):
    """What the array reads comes while loss and gradients are made; its own tiles go first."""
    bench = new_bench()
    for _ in range(2):
        bench.add(BP0, 500, phase=phase)
    bench.add(BP0, 10, reads=((0, 64),))
    bench.run()
    assert bench.transactions[0][1] == (0 if early else 500 * CYCLE)


def test_the_third_output_waits_for_the_first_to_leave(new_bench):
    """Two output buffers: tile 2 computes only when the writes of tile 0 are acknowledged."""
    bench = new_bench()
    nbytes = 64 * 256
    for tile in range(3):
        bench.add(FP0, 1, writes=((tile * nbytes, nbytes),))
    bench.run()
    intervals = bench.intervals(FP0)
    assert [what for what, _, _ in intervals] == [
        EngineState.COMPUTE,
        EngineState.COMPUTE,
        EngineState.STALL_WRITEBACK,
        EngineState.COMPUTE,
        EngineState.STALL_WRITEBACK,
    ]
    writes = [row for row in bench.transactions if row[13] < nbytes]
    assert intervals[2][2] == max(row[4] for row in writes)
    assert intervals[4][2] == bench.chip.env.now == max(row[4] for row in bench.transactions)


def test_a_tile_without_output_needs_no_output_buffer(new_bench):
    """Writes still on their way hold back only tiles that write or send."""
    bench = new_bench()
    for tile in range(2):
        bench.add(FP0, 1, writes=((tile * 16384, 16384),))
    bench.add(FP0, 5)
    bench.run()
    assert [what for what, _, _ in bench.intervals(FP0)][:3] == [EngineState.COMPUTE] * 3


def test_an_empty_message_still_arrives(new_bench):
    """A message without payload is one packet: its header."""
    bench = new_bench()
    ident = bench.done.ident("nothing to tell")
    bench.add(FP0, 7, messages=(bench.message(1, 0, ident),))
    bench.add(FP1, 1, needs=(ident,))
    bench.run()
    assert bench.intervals(FP1)[-1][1] == 7 * CYCLE + mesh_ps(1, 0)


def test_a_message_is_cut_into_packets_that_all_count(new_bench):
    """1000 B are four packets of at most 256 B; the last one completes the need."""
    bench = new_bench()
    ident = bench.done.ident("four packets")
    bench.add(FP0, 7, messages=(bench.message(1, 1000, ident),))
    bench.add(FP1, 1, needs=(ident,))
    bench.run()
    assert [row[12] for row in bench.transactions] == [256, 256, 256, 232]
    tail = (3 * 17 + 16) - 17  # flits before the last packet's, less what T0 counts
    latency = mesh_ps(1, 256) + tail * CYCLE
    assert bench.intervals(FP1)[-1][1] == 7 * CYCLE + latency


@pytest.mark.parametrize("window", [1, 2, 8])
def test_the_window_is_never_exceeded_and_is_used(window, new_bench):
    """At most ``outstanding`` transactions of an engine are in flight, and at times that many."""
    bench = new_bench(f"core.outstanding={window}")
    ident = bench.done.ident("spikes")
    bench.add(FP0, 10, reads=((0, 6000),), writes=((8192, 3000),),
              messages=(bench.message(1, 2000, ident),))  # fmt: skip
    bench.add(FP0, 10, reads=((16384, 6000),))
    bench.add(FP1, 10, needs=(ident,), reads=((32768, 6000),))
    bench.run()
    deepest = {}
    for unit in (UNIT[FP0], UNIT[FP1]):
        rows = [row for row in bench.transactions if row[5] == unit]
        edges = sorted([(row[4], -1) for row in rows] + [(row[1], 1) for row in rows])
        level, deepest[unit] = 0, 0
        for _, change in edges:
            level += change
            deepest[unit] = max(deepest[unit], level)
    assert set(deepest.values()) == {window}


def test_a_wider_window_hides_latency(new_bench):
    """64 packets: one at a time each pays the whole latency, eight are bound by the mesh port."""
    spans = []
    for window in (1, 8):
        bench = new_bench(f"core.outstanding={window}")
        bench.add(FP0, 1, reads=((0, 64 * 256),))
        spans.append(bench.run().env.now - CYCLE)
    assert spans[0] == 64 * bench.read_ps(256)
    assert 64 * 17 * CYCLE <= spans[1] < spans[0] / 3


def test_the_times_of_a_transaction_rise(new_bench):
    """begin_req <= end_req <= begin_resp <= end_resp; a message ends where it arrives."""
    bench = new_bench()
    ident = bench.done.ident("spikes")
    bench.add(FP0, 3, reads=((0, 600),), writes=((1024, 600),),
              messages=(bench.message(1, 300, ident),))  # fmt: skip
    bench.add(FP1, 1, needs=(ident,))
    bench.run()
    assert Counter(row[7] for row in bench.transactions) == {
        Command.READ: 3, Command.WRITE: 3, Command.SPIKE: 2,
    }  # fmt: skip
    for row in bench.transactions:
        assert 0 <= row[1] < row[2] <= row[3] <= row[4]
        if row[7] == Command.SPIKE:
            assert row[2] == row[3] == row[4]
            assert row[6] == UNIT[FP1]


def test_a_need_that_nobody_meets_is_a_deadlock_that_names_it(new_bench):
    """The run is stuck, and the report says who waits for what."""
    bench = new_bench()
    ident = bench.done.expect(bench.done.ident("dS conv1 core00 sample 3"))
    bench.add(BP0, 10, needs=(ident,))
    bench.add(FP0, 10)
    with pytest.raises(StuckError):
        bench.run()
    assert bench.chip.waiting() == [
        "chip.core00.bp at BP layer 0 sample 0 waits for dS conv1 core00 sample 3"
    ]


def test_intervals_tile_the_run_of_every_engine(chip_kernel):
    """From 0 to the end without gap or overlap; the model's own sums say the same."""
    first = conv((4, 8, 8), 20, 3, padding=1, pool=2)
    plan, program = built(*job(first, linear(320, 10), batch=4), IDEAL_DRAM)
    timing = load_dram_timing(plan.chip.dram.device)
    chip, *tables = chip_kernel.chip(plan.chip, timing, program)
    run_until(chip.env, chip.finished)
    chip.settle()
    transactions, activity = map(tuples, tables)
    now = chip.env.now
    for engine in chip.engines:
        rows = [row for row in activity if row[0] == engine.unit]
        assert rows[0][1] == 0
        assert rows[-1][2] == now
        assert all(row[2] == after[1] for row, after in pairwise(rows))
        assert all(row[1] < row[2] for row in rows)
        by_reason = Counter()
        for row in rows:
            by_reason[row[3]] += row[2] - row[1]
        assert [by_reason[reason] for reason in EngineState] == engine.spent_ps
        awaited_ps = sum(sum(waits.values()) for waits in engine.awaited_ps.values())
        assert awaited_ps == by_reason[EngineState.STALL_DEPENDENCY]
        computing = sum(tile.cycles for tile in engine.tiles) * CYCLE
        assert by_reason[EngineState.COMPUTE] == computing
    assert len(transactions) == sum(t.transactions for t in chip.traffic.values())


@pytest.mark.parametrize(("reads", "table"), [(((0, 64),), "transactions"), ((), "activity")])
@pytest.mark.parametrize("column", ["layer", "sample", "step"])
def test_a_number_that_its_column_cannot_hold_is_refused(new_bench, column, reads, table):
    """The largest is taken, one more is not."""
    for number in (32767, 32768):
        bench = new_bench()
        tile = bench.add(FP0, 10, reads=reads)
        bench.tiles[0]["fp"] = [replace(tile, **{column: number})]
        if number == 32767:
            bench.run()
        else:
            with pytest.raises(TraceError, match=f"trace {table}: {column} = {number} does not"):
                bench.run()


def test_rows_of_the_reference_hold_no_numbers_of_numpy():
    """Those take several times as long to be packed."""
    plan, program = built(*job(linear(20, 10), batch=4), IDEAL_DRAM)
    chip, *tables = REFERENCE.chip(plan.chip, load_dram_timing(plan.chip.dram.device), program)
    run_until(chip.env, chip.finished)
    kinds = {type(number) for table in tables for row in table for number in row}
    assert int in kinds and kinds <= {int, Command, EngineState, Phase}


def test_identical_programs_run_identically(chip_kernel):
    """Two builds of one job leave the same rows, transaction by transaction."""
    logs = []
    for _ in range(2):
        first = conv((4, 8, 8), 20, 3, padding=1)
        plan, program = built(*job(first, linear(1280, 10), batch=4), IDEAL_DRAM)
        timing = load_dram_timing(plan.chip.dram.device)
        chip, *tables = chip_kernel.chip(plan.chip, timing, program)
        run_until(chip.env, chip.finished)
        logs.append((*map(tuples, tables), chip.env.now))
    assert logs[0] == logs[1]


@needs_compiled
def test_both_kernels_have_the_same_transactions_under_way():
    """Whenever one looks, in the same order; none of them when the run has ended."""
    plan, program = built(*job(conv((4, 8, 8), 20, 3, padding=1), batch=4), IDEAL_DRAM)
    timing = load_dram_timing(plan.chip.dram.device)
    chips = [param.values[0].chip(plan.chip, timing, program)[0] for param in CHIP_KERNELS]
    looks = []
    while not all(chip.finished.complete for chip in chips):
        for chip in chips:
            chip.env.step()
        looks += [[[txn.ident for txn in chip.env.transactions()] for chip in chips]]
    assert all(here == there for here, there in looks)
    assert max(len(idents) for idents, _ in looks) > 20 and looks[-1][0] == []


def test_units_are_numbered_engines_first_then_channels(new_bench):
    """The trace's unit ids, and the name an engine reports, are the same."""
    bench = new_bench()
    bench.add(FP0, 1)
    chip = bench.run()
    names = unit_names(bench.config)
    assert [engine.path for engine in chip.engines] == [path for path, _ in names[:6]]
    assert names[3] == ("chip.core01.fp", "fp")
    assert names[6:] == [("chip.dram0", "dram")]


@given(
    st.integers(0, 1 << 20),
    st.integers(1, 5000),
    st.sampled_from([64, 256]),
    st.sampled_from([256, 1024]),
    st.integers(1, 5),
)
def test_pieces_of_a_run_cover_it_once(start, nbytes, payload, interleave, channels):
    """No piece is larger than a packet or spans two channels; together they are the run."""
    split = AddressSplit(interleave, channels, payload, 32)
    pieces = split.pieces((start, nbytes))
    assert sum(size for _, _, size in pieces) == nbytes
    at = start
    for channel, local, size in pieces:
        assert 0 < size <= payload
        for byte in (at, at + size - 1):
            stripe, offset = divmod(byte, interleave)
            assert channel == stripe % channels
            assert local + (byte - at) == stripe // channels * interleave + offset
        at += size


@pytest.mark.parametrize(("start", "nbytes"), [(0, 64), (63, 2), (0, 1), (100, 700), (255, 258)])
def test_unaligned_ends_cost_a_whole_burst(start, nbytes, new_bench):
    """Bursts charged are the aligned blocks that a run touches; bytes are the run's own."""
    bench = new_bench()
    bench.add(FP0, 1, reads=((start, nbytes),), writes=((start, nbytes),))
    chip = bench.run()
    size = bench.timing.burst_bytes
    blocks = {byte // size for byte in range(start, start + nbytes)}
    traffic = chip.traffic[Phase.FP, 0]
    assert (traffic.read_bytes, traffic.write_bytes) == (nbytes, nbytes)
    assert (traffic.read_bursts, traffic.write_bursts) == (len(blocks), len(blocks))


def test_flits_and_hops_are_charged_as_they_travel(new_bench):
    """A read: a header there, header and data back; a write and a message: there only."""
    bench = new_bench()
    ident = bench.done.ident("spikes")
    bench.add(FP1, 1, reads=((0, 256),), writes=((1024, 256),),
              messages=(bench.message(0, 256, ident),))  # fmt: skip
    bench.add(FP0, 1, needs=(ident,))
    chip = bench.run()
    traffic = chip.traffic[Phase.FP, 0]
    flits = (1 + 17) + 17 + 17
    assert traffic.transactions == 3
    assert traffic.message_bytes == 256
    assert traffic.link_flits == flits  # one hop each way between the two nodes
    assert traffic.router_flits == 2 * flits
    assert sum(link.flits for link in chip.network.links.values()) == flits
