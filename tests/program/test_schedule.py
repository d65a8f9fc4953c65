"""Schedules: groups of samples, what runs beside what, and how long that takes."""

from dataclasses import replace

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
    job,
    linear,
    loaded_chip,
)
from tests.reliability.probe import APART
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.errors import MappingError
from tlm.hardware.chip import Chip
from tlm.kernel import run_until
from tlm.placement.schedule import schedule_of
from tlm.space.grid import Grid
from tlm.space.phase import BATCH, Phase
from tlm.space.region import length
from tlm.workload.model import Norm

FAST_MEMORY = (IDEAL_DRAM, "noc.model=ideal", "dram.latency=1 ns", "core.clock=1 MHz")


def network(batch=4, steps=3, seed=0, **densities):
    """Two convolutions and a linear layer."""
    first = conv((4, 8, 8), 20, 3, padding=1, pool=2)
    second = conv(first.pooled_shape, 24, 3, padding=1)
    last = linear(int(np.prod(second.out_shape)), 10)
    drawn = Densities(**densities)
    return job(first, second, last, batch=batch, steps=steps, seed=seed, densities=drawn)


def run(drawn, *overrides):
    """A finished chip, its plan and program, and the laws it breaks."""
    plan, program = built(*drawn, *overrides)
    loaded = loaded_chip(*overrides)
    timing = load_dram_timing(loaded.config.dram.device)
    activity = []
    chip = Chip(loaded.config, timing, program, None, activity)
    run_until(chip.env, chip.finished)
    chip.settle()
    return plan, program, chip, broken_by(chip, plan, program, loaded.energy)


def grid(*samples):
    """A grid that is cut at some samples only."""
    return Grid((0, 16), samples, (0, 1), (0, 1), tuple(range(len(samples) - 1)))


@given(data=st.data(), batch=st.integers(1, 16), size=st.integers(1, 5), depth=st.integers(1, 6))
def test_groups_hold_every_sample_once_and_are_bounded(data, batch, size, depth):
    """Whatever the cuts of the layers; no slice holds more of a group than ``size`` a span."""
    grids = []
    for _ in range(data.draw(st.integers(1, 3))):
        inner = data.draw(st.sets(st.integers(1, batch - 1), max_size=4)) if batch > 1 else set()
        grids.append(grid(0, *sorted(inner), batch))
    mapping = loaded_chip("mapping.schedule=pipelined").config.mapping
    mapping = mapping.model_copy(update={"group": size, "in_flight": depth})
    schedule = schedule_of(mapping, grids, batch)
    samples = [s for group in schedule.groups for span in group for s in range(*span)]
    assert sorted(samples) == list(range(batch))
    for one in grids:
        for part in one.slices():
            pieces = [schedule.parts([part], g) for g in range(len(schedule.groups))]
            each = [sum(length(p.neurons.samples) for p in found) for found in pieces]
            assert sum(each) == length(part.neurons.samples)
            windows = [sum(each[i : i + schedule.in_flight]) for i in range(len(each))]
            assert schedule.held_samples(part) == max(windows)


@settings(max_examples=12)
@given(
    seed=st.integers(0, 99),
    batch=st.integers(1, 5),
    cores=st.integers(1, 11),
    schedule=st.sampled_from(["pipelined", "wavefront"]),
    split=st.sampled_from(["auto", "k", "batch", "spatial", "placed"]),
    state=st.sampled_from(["auto", "spill", "recompute"]),
    sharing=st.sampled_from(["pool", "separate"]),
    in_flight=st.integers(1, 4),
    small=st.booleans(),
)
def test_any_schedule_runs_and_keeps_every_law(
    seed, batch, cores, schedule, split, state, sharing, in_flight, small
):
    """No deadlock, all work exactly once, bytes and energy add up, memories small or large."""
    overrides = (
        *(f"mapping.schedule={schedule}", f"mapping.split={split}", f"mapping.state={state}"),
        *(f"cores={cores}", f"core.memory.sharing={sharing}", IDEAL_DRAM),
        *((f"mapping.in_flight={in_flight}",) if schedule == "pipelined" else ()),
        *array_overrides(4, 4),
    )
    if small:
        overrides += ("core.memory.gradients=136 Kib", "core.memory.spikes=4 Kib",
                      "core.memory.accumulators=4 Kib", "core.memory.weights=1 Kib",
                      "core.memory.membrane=16 Kib",
                      "core.memory.spike_gradients=8 Kib")  # fmt: skip
    *_, broken = run(network(batch, seed=seed), *overrides)
    assert broken == []


def test_a_wavefront_takes_up_u_of_the_step_before():
    """What FP of a step reads of U is what FP of the step before it has written, sample by sample.

    No sum of bytes can tell one step from another.
    """
    overrides = (*APART, "mapping.schedule=wavefront", "cores=2", "core.memory.membrane=2 Kib")
    plan, program, _, broken = run(network(), *overrides)
    assert broken == []
    assert [layer_plan.stored.U for layer_plan in plan.layers[:2]] == ["dram", "dram"]
    for layer_plan in plan.layers[:2]:
        tensor = layer_plan.addressed.tensors["U"]
        end = tensor.address + tensor.nbytes
        moved = {"reads": set(), "writes": set()}
        for engines in program.tiles:
            for tile in engines["fp"]:
                if (tile.phase, tile.layer) == (Phase.FP, layer_plan.layer.index):
                    for what, later in (("reads", 0), ("writes", 1)):
                        runs = [r for r in getattr(tile, what) if tensor.address <= r[0] < end]
                        moved[what] |= {(tile.step + later, run) for run in runs}
        assert moved["reads"] == {one for one in moved["writes"] if one[0] < plan.steps}


def cycles(program, phase, layer, sample):
    """Cycles of a phase of a layer for one sample, on all cores."""
    return sum(
        tile.cycles
        for engines in program.tiles
        for tiles in engines.values()
        for tile in tiles
        if (tile.phase, tile.layer, tile.sample) == (phase, layer, sample)
    )


def pipeline_cycles(program, layers, batch):
    """Closed form of one core: three engines in a row, each sample through all layers at once.

    With the last sample, the update of a layer follows WG of the layer below.
    """
    fp = bp = wg = 0
    for sample in range(batch):
        fp += sum(cycles(program, Phase.FP, layer, sample) for layer in range(layers))
        bp = max(bp, fp) + cycles(program, Phase.LOSS, layers - 1, sample)
        for layer in reversed(range(layers)):
            bp += cycles(program, Phase.GRAD, layer, sample)
            wg = max(wg, bp) + cycles(program, Phase.WG, layer, sample)
            bp += cycles(program, Phase.BP, layer, sample)
            if sample == batch - 1:
                wg += cycles(program, Phase.UPDATE, layer + 1, BATCH)
    return max(bp, wg) + cycles(program, Phase.UPDATE, 0, BATCH)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_pipeline_takes_its_closed_form(batch):
    """One core whose memory and network cost next to nothing: engines wait for nothing else."""
    drawn = network(batch, gradients=0.4, masks=0.6, live=1.0)
    wide = ("mapping.schedule=pipelined", "mapping.in_flight=16", "cores=1", *FAST_MEMORY)
    _, program, chip, broken = run(drawn, *wide)
    closed = pipeline_cycles(program, 3, batch) * chip.config.core.period_ps
    assert broken == []
    assert chip.env.now == pytest.approx(closed, rel=0.005)


def test_fp_of_a_group_runs_beside_bp_and_wg_of_another():
    """A pipeline of many samples beats layer by layer where weights are small."""
    drawn = network(8, gradients=0.5, masks=0.8, spikes=0.2, live=1.0)
    base = ("cores=1", *FAST_MEMORY)
    eight = ("mapping.schedule=pipelined", "mapping.in_flight=8")
    _, _, layerwise, _ = run(drawn, "mapping.schedule=layerwise", *base)
    _, _, pipelined, _ = run(drawn, *eight, *base)
    assert pipelined.env.now < 0.9 * layerwise.env.now
    ends = {
        phase: [t.end for e in pipelined.engines for (p, _), t in e.tallies.items() if p == phase]
        for phase in (Phase.FP, Phase.WG)
    }
    begins = [
        t.begin for e in pipelined.engines for (p, _), t in e.tallies.items() if p == Phase.WG
    ]
    assert min(begins) < max(ends[Phase.FP])


def test_at_most_so_many_groups_are_on_the_chip():
    """FP of group g + in_flight waits for the last BP and WG tile of group g."""
    drawn = network(6, live=1.0)
    for in_flight in (1, 2, 3):
        plan, program, chip, _ = run(
            drawn, "mapping.schedule=pipelined", f"mapping.in_flight={in_flight}", "cores=3",
            "mapping.split=k", *FAST_MEMORY,
        )  # fmt: skip
        assert len(plan.schedule.groups) == 6
        waits = [
            program.completions.labels[ident]
            for engines in program.tiles
            for tile in engines["fp"]
            for ident in tile.needs
            if "samples done" in program.completions.labels[ident]
        ]
        assert set(waits) == {f"samples done group {g}" for g in range(6 - in_flight)}
        assert all(done.complete for done in chip.completions)


def test_weights_are_fetched_again_for_every_group():
    """Layers take turns on a core, so each finds the other's weights in its buffer."""
    drawn = network(4, live=1.0)
    read = {}
    four = ("mapping.in_flight=4",)
    for schedule, more in (("layerwise", ()), ("pipelined", four)):
        overrides = (f"mapping.schedule={schedule}", "cores=1", "mapping.parameters=spill")
        plan, program, *_ = run(drawn, *overrides, IDEAL_DRAM, *more)
        weights = [layer_plan.addressed.weights["W"] for layer_plan in plan.layers]
        read[schedule] = sum(
            size
            for tile in program.tiles[0]["fp"]
            for start, size in tile.reads
            if any(w.address <= start < w.address + w.nbytes for w in weights)
        )
        total = sum(w.nbytes for w in weights)
    assert read["layerwise"] == total
    assert read["pipelined"] == 4 * total


def test_a_wavefront_takes_layers_plus_steps_instead_of_their_product():
    """Equal layers on cores of their own, one sample: FP ends after L + T - 1 slots, not L x T."""
    chain = [conv((16, 16, 16), 16, 3, padding=1) for _ in range(4)]  # a step fills a block
    drawn = job(*chain, batch=1, steps=8, encoding="rate",
                densities=Densities(inputs=1.0, spikes=1.0, live=1.0))  # fmt: skip
    plan, program, chip, broken = run(
        drawn, "mapping.schedule=wavefront", "mapping.split=placed+k", "cores=4",
        "core.engines.fp.mode=dense", *FAST_MEMORY,
    )  # fmt: skip
    assert broken == []
    assert len({layer_plan.cut.grid.cores for layer_plan in plan.layers}) == 4
    forward = [e for e in chip.engines if e.path.endswith("fp")]
    ends = [tally.end for e in forward for tally in e.tallies.values()]
    slot = sum(tile.cycles for engines in program.tiles for tile in engines["fp"]) / (4 * 8)
    expected = (4 + 8 - 1) * slot * chip.config.core.period_ps
    assert max(ends) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("schedule", ["pipelined", "wavefront"])
def test_batch_statistics_forbid_starting_a_sample_early(schedule):
    """One clear line, which names what to use instead."""
    workload, recording = network()
    first = replace(workload.layers[0], norm=Norm("batch", 1e-5, per_step=False))
    workload = replace(workload, layers=(first, *workload.layers[1:]))
    with pytest.raises(MappingError, match="statistics of the whole batch") as caught:
        built(workload, recording, f"mapping.schedule={schedule}")
    assert "mapping.batch_norm=frozen" in str(caught.value)
    assert "\n" not in str(caught.value)
    built(workload, recording, f"mapping.schedule={schedule}", "mapping.batch_norm=frozen")
