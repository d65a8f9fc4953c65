"""Programs: everything required exactly once, in the order of the schedule, and it runs."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.program.jobs import (
    IDEAL_DRAM,
    Densities,
    array_overrides,
    broken_by,
    built,
    conv,
    due,
    job,
    linear,
    loaded_chip,
    tiles_of,
)
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.errors import MappingError
from tlm.hardware.chip import Chip
from tlm.kernel import run_until
from tlm.space.phase import BATCH, ENGINE_OF_PHASE, Phase

SPLITS = st.sampled_from(["auto", "k", "batch", "spatial"])
CORES = st.sampled_from([1, 2, 3, 7, 20])


@st.composite
def random_jobs(draw):
    """One to three layers on small images, some with pooling, odd sizes and empty masks."""
    channels, side = st.integers(1, 20), st.integers(3, 8)
    layers = []
    shape = (draw(channels), draw(side), draw(side))
    for _ in range(draw(st.integers(0, 2))):
        kernel = draw(st.integers(1, min(3, *shape[1:])))
        layer = conv(shape, draw(channels), kernel, draw(st.integers(1, 2)),
                     draw(st.integers(0, kernel - 1)))  # fmt: skip
        if min(layer.out_shape[1:]) >= 2 and draw(st.booleans()):
            layer = conv(shape, layer.out_shape[0], kernel, layer.stride[0], layer.padding[0],
                         pool=2)  # fmt: skip
        layers.append(layer)
        shape = layer.pooled_shape
    layers.append(linear(int(np.prod(shape)), draw(channels)))
    share = st.sampled_from([0.0, 0.1, 0.5, 1.0])
    densities = Densities(draw(share), draw(share), draw(share), draw(share), draw(share))
    return job(*layers, steps=draw(st.integers(1, 3)), batch=draw(st.integers(1, 4)),
               seed=draw(st.integers(0, 999)), densities=densities,
               encoding=draw(st.sampled_from(["rate", "direct"])),
               optimizer=draw(st.sampled_from(["adam", "sgd"])))  # fmt: skip


def covered(program, phase, layer):
    """Result elements by (sample, step) that the tiles of a phase finish."""
    found = Counter()
    for tile in tiles_of(program, phase, layer):
        for pair in tile.pairs():
            found[pair] += tile.covers
    return {pair: count for pair, count in found.items() if count}


def required(plan):
    """What has to be computed, from the recording alone: elements by (sample, step)."""
    due = {}
    pairs = [(b, t) for b in range(plan.workload.batch) for t in range(plan.steps)]
    for layer_plan in plan.layers:
        layer, index = layer_plan.layer, layer_plan.layer.index
        neurons, inputs = int(np.prod(layer.out_shape)), int(np.prod(layer.in_shape))
        live = [(b, t) for b, t in pairs if layer_plan.dY[t, b].any()]
        due[Phase.FP, index] = due[Phase.GRAD, index] = dict.fromkeys(pairs, neurons)
        due[Phase.WG, index] = dict.fromkeys(live, neurons * layer.in_shape[0])
        weights = layer.out_shape[0] * layer.in_shape[0] * int(np.prod(layer.kernel))
        due[Phase.UPDATE, index] = {(BATCH, BATCH): weights}
        if index:
            due[Phase.BP, index] = dict.fromkeys(live, inputs * layer.out_shape[0])
    classes = plan.layers[-1].layer.out_shape[0]
    due[Phase.LOSS, plan.layers[-1].layer.index] = dict.fromkeys(pairs, classes)
    return {key: pairs for key, pairs in due.items() if pairs}


def announced(program):
    """How often each completion will be counted, by what the hardware does with the tiles."""
    counts = Counter()
    for tile in (t for engines in program.tiles for tiles in engines.values() for t in tiles):
        counts.update(tile.signals)
        counts.update(tile.saves)
        for message in tile.messages:
            for ident in message.arrives:
                counts[ident] += max(1, -(-message.nbytes // 256))
    return counts


def run(program, *overrides):
    """The program on its chip with an ideal DRAM, to the end; the settled chip."""
    loaded = loaded_chip(*overrides)
    timing = load_dram_timing(loaded.config.dram.device)
    chip = Chip(loaded.config, timing, program, None, None)
    run_until(chip.env, chip.finished)
    chip.settle()
    return chip


@settings(max_examples=40)
@given(drawn=random_jobs(), split=SPLITS, cores=CORES)
def test_everything_required_is_covered_exactly_once(drawn, split, cores):
    """Every (phase, layer, sample, step) has all its elements once, however layers are cut."""
    plan, program = built(*drawn, *array_overrides(4, 4), f"mapping.split={split}",
                          f"cores={cores}")  # fmt: skip
    results = required(plan)
    assert due(plan).results == results
    for (phase, layer), pairs in results.items():
        assert covered(program, phase, layer) == pairs, (phase, layer)
    counts = announced(program)
    assert [counts[i] for i in range(len(program.completions.labels))] == program.completions.counts


@settings(max_examples=40)
@given(drawn=random_jobs(), split=SPLITS, cores=CORES, small=st.booleans())
def test_random_programs_run_to_their_end(drawn, split, cores, small):
    """No deadlock, and every invariant holds, whatever the cut; time stays an integer."""
    overrides = (*array_overrides(4, 4), f"mapping.split={split}", f"cores={cores}", IDEAL_DRAM)
    if small:  # just enough for the largest layer: many blocks, spills, inputs through DRAM
        overrides += ("core.memory.gradients=136 Kib", "core.memory.spikes=2 Kib",
                      "core.memory.accumulators=4 Kib",
                      "core.memory.weights=1 Kib")  # fmt: skip
    plan, program = built(*drawn, *overrides)
    chip = run(program, *overrides)
    assert broken_by(chip, plan, program, loaded_chip(*overrides).energy) == []
    assert type(chip.env.now) is int
    assert all(done.complete for done in chip.completions)


@pytest.mark.parametrize("split", ["auto", "k", "batch", "spatial"])
@pytest.mark.parametrize("cores", [1, 3, 20])
@pytest.mark.parametrize("gradients", ["48 Kib", "96 Kib", "200 Kib"])
def test_small_gradient_memories_do_not_deadlock(split, cores, gradients):
    """dY of one sample in the whole memory, in half of it, of two samples; all waits resolve."""
    first = conv((5, 8, 8), 16, 3, padding=1)
    second = conv(first.out_shape, 16, 3, padding=1, pool=2)
    drawn = job(first, second, linear(256, 10), batch=5, steps=3, densities=Densities(live=0.7))
    overrides = (f"mapping.split={split}", f"cores={cores}", f"core.memory.gradients={gradients}",
                 "core.memory.accumulators=48 Kib", IDEAL_DRAM)  # fmt: skip
    plan, program = built(*drawn, *overrides)
    chip = run(program, *overrides)
    assert broken_by(chip, plan, program, loaded_chip(*overrides).energy) == []
    if cores == 1:
        blocks = {"48 Kib": 5, "96 Kib": 5, "200 Kib": 3}[gradients]
        assert len(tiles_of(program, Phase.GRAD, 0)) == blocks


def test_counts_are_python_integers():
    """numpy integers would slow the kernel down and end up in the summary."""
    first = conv((3, 8, 8), 20, 3, padding=1, pool=2)
    plan, program = built(*job(first, linear(320, 10)))
    for tile in (t for engines in program.tiles for tiles in engines.values() for t in tiles):
        work = tile.work
        numbers = [tile.cycles, tile.covers, work.slots, work.executed, work.dense, work.useful]
        numbers += [*work.energy.values(), *(n for run in (*tile.reads, *tile.writes) for n in run)]
        numbers += [message.nbytes for message in tile.messages]
        assert {type(number) for number in numbers} == {int}, tile.phase
    assert all(type(layer_plan.cut.split.k) is int for layer_plan in plan.layers)


def test_tiles_run_on_the_engine_of_their_phase_in_the_order_of_the_schedule():
    """FP by rising layer, BP and WG by falling layer; nothing of a phase on another engine."""
    first = conv((3, 8, 8), 20, 3, padding=1)
    second = conv(first.out_shape, 12, 3, padding=1, pool=2)
    _, program = built(*job(first, second, linear(12 * 16, 10)))
    for engines in program.tiles:
        for engine, tiles in engines.items():
            assert {ENGINE_OF_PHASE[tile.phase] for tile in tiles} <= {engine}
        layers = [tile.layer for tile in engines["fp"]]
        assert layers == sorted(layers)
        for engine, phases in (("bp", (Phase.GRAD, Phase.BP)), ("wg", (Phase.WG,))):
            layers = [tile.layer for tile in engines[engine] if tile.phase in phases]
            assert layers == sorted(layers, reverse=True)


def test_a_dead_block_fetches_nothing():
    """A block whose dY is zero is skipped whole: no weights, no masks, no spikes."""
    first = conv((4, 8, 8), 16, 3, padding=1)
    workload, recording = job(first, linear(1024, 10), densities=Densities(live=0.0))
    _, program = built(workload, recording)
    for phase in (Phase.BP, Phase.WG):
        for tile in tiles_of(program, phase):
            assert tile.cycles == 0
            assert tile.reads == ()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("core.engines.fp.rows=8",), "fp and wg must have the same rows and cols"),
        (("core.memory.partial_sums=128 bit",), "hold less than one vector of 16 sums"),
        (("core.memory.weights=4 Kib",), "need 8 Kib .1 KiB."),
        (("core.memory.partial_sums=1 Kib",), "one row of 8 positions does not fit"),
    ],
)
def test_jobs_that_do_not_fit_are_refused_on_one_line(overrides, message):
    """A mapping error names the key to change."""
    drawn = job(conv((4, 8, 8), 16, 3, padding=1), linear(1024, 10))
    with pytest.raises(MappingError, match=message) as caught:
        built(*drawn, *overrides)
    assert "\n" not in str(caught.value)
