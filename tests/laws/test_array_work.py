"""Array work counted anew, position by position, and cycles of the units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.laws.test_programs import program_of
from tests.program.jobs import built, corrupt
from tests.program.jobs import due as due_of
from tests.reliability.probe import CHIPS, SMALL, chain, drawn, grouped, residual
from tlm.laws.array_work import array_work
from tlm.laws.due.nest_counts import nest_count, panels
from tlm.laws.due.nests import Nest
from tlm.laws.samples import samples
from tlm.laws.tile_table import TileTable
from tlm.laws.unit_cycles import unit_cycles
from tlm.space.phase import Phase
from tlm.space.region import Block
from tlm.workload.builder import Builder
from tlm.workload.surrogate import lif_neuron

ENGINES = ("fp", "bp", "wg")
VARIANTS = {
    "dense": ["core.engines.{}.mode=dense"],
    "element": ["core.engines.{}.mode=element", "core.queue_depth=1", "core.scan_slots=3"],
    "few banks": ["core.memory.banks=4", "core.scan_slots=2"],
    "no zero adds": ["core.zero_operand_adds=false", "core.skip_slices=false"],
    "output": ["core.engines.{}.dataflow=output"],
    "input": ["core.engines.{}.dataflow=input", "core.engines.{}.mode=dense"],
}


def broken(program, due):
    """The faults that the two laws tell of a program."""
    table = TileTable(program, due.regions)
    blocks = list(samples(table, due.job))
    checks = (*array_work(blocks, due), *unit_cycles(table, due))
    return [check.name for check in checks if not check.holds]


def variant_of(name, job, *more):
    """A small job's program on a variant of the preset."""
    words = [word.format(engine) for word in (*VARIANTS[name], *more) for engine in ENGINES]
    plan, program = built(job, job.load(0), *SMALL, *dict.fromkeys(words))
    return program, due_of(plan)


@pytest.mark.parametrize("chip", list(CHIPS))
@pytest.mark.parametrize("job", [chain, residual, grouped])
def test_programs_keep_the_laws(chip, job):
    """Every job on every chip of the probe; blocks of all phases are looked at."""
    program, due = program_of(chip, job())
    assert broken(program, due) == []
    (check,) = array_work(list(samples(TileTable(program, due.regions), due.job)), due)
    assert int(check.detail.split()[0]) >= 2 * len(due.job.layers)


@pytest.mark.parametrize("variant", list(VARIANTS))
@pytest.mark.parametrize("job", [chain, residual, grouped])
@pytest.mark.parametrize("grid", ["inserted", "compacted"])
def test_modes_grids_and_dataflows_keep_the_laws(variant, job, grid):
    """Two countings agree whatever an engine skips and on either grid of a stride."""
    grids = [f"core.engines.{engine}.grid={grid}" for engine in ("bp", "wg")]
    assert broken(*variant_of(variant, job(), *grids)) == []


@pytest.mark.parametrize("organisation", ["pb-bmp", "pb-csr"])
def test_a_slice_without_a_single_weight_drains_its_panels(organisation):
    """Two cores share the outputs, and all weights of the second one's are zero."""
    net = Builder((8, 6, 4), lif_neuron())
    net.conv(32, 1)
    net.conv(32, 1)
    job = drawn("half", net, 0.5)
    masks = [np.ones(layer.weight_shape, bool) for layer in job.layers]
    for mask in masks:
        mask[16:] = False
    due = ("cores=2", "mapping.split=k", f"core.weights.organisation={organisation}")
    plan, program = built(job, replace(job.load(0), weights=tuple(masks)), *due)
    assert [cut.neurons.channels for cut in plan.layers[1].cut.slices] == [(0, 16), (16, 32)]
    assert broken(program, due_of(plan)) == []


@pytest.mark.parametrize("mode", ["dense", "vector"])
def test_sums_that_begin_above_no_weight(mode):
    """One input has a few weights: of most outputs the first sum passes no multiplier at all."""
    net = Builder((8, 6, 4), lif_neuron())
    net.conv(1, 1)
    net.conv(33, 1)
    net.linear(5)
    job = drawn("scarce", net, 0.5)
    masks = [np.ones(layer.weight_shape, bool) for layer in job.layers]
    masks[1][2:, 0] = False
    chip = ["cores=1", "core.weights.organisation=pb-bmp"]
    chip += [f"core.engines.{engine}.mode={mode}" for engine in ENGINES]
    plan, program = built(job, replace(job.load(0), weights=tuple(masks)), *chip)
    assert broken(program, due_of(plan)) == []
    actions = [tile.work.energy.values() for tile in program.all_tiles()]
    assert min(number for numbers in actions for number in numbers) >= 0


@pytest.mark.parametrize("stride", [2, 3])
def test_a_stride_beyond_the_kernel_visits_few_positions(stride):
    """On the compacted grid a kernel of one tap visits the positions on its stride alone."""
    net = Builder((4, 12, 12), lif_neuron())
    net.conv(8, 3, padding=1)
    net.conv(12, 1, stride=stride)
    net.linear(5)
    job = drawn("sparse", net, 0.3)
    assert broken(*variant_of("few banks", job, "core.engines.bp.grid=compacted")) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_an_array_of_another_dataflow_that_is_too_fast(engine):
    """Slots take a cycle each, whatever the array holds."""
    program, due = variant_of("output", chain())
    for core in program.tiles:
        for tile in core[engine]:
            corrupt(tile, "cycles", min(tile.cycles, 1))
    assert "array work by position" in broken(program, due)


def test_a_nest_of_one_tap_by_hand():
    """A linear layer of one position: a slot for each chunk of its inputs, one panel."""
    _, due = program_of("default", chain())
    facts = due.job.layers[2]
    part = facts.slices[0]
    block = Block((0, 1), (0, 1), (0, 1))
    nest = Nest(facts, Phase.FP, part, block)
    count = nest_count(due.job, nest)
    depth, width = facts.layer.in_shape[0], part.neurons.channels[1] - part.neurons.channels[0]
    chunks = -(-depth // 16)
    assert panels(due.job, nest) == [width]
    assert (count.slots, count.dense, count.held) == (chunks, depth * width, depth * width)
    # The scan looks at one slot a chunk in one cycle, executed or not; 16 load the weights.
    assert count.cycles == chunks * (16 + 1)
    assert count.macs <= count.dense and count.useful <= count.macs


@pytest.mark.parametrize("phase", [Phase.FP, Phase.BP, Phase.WG])
@pytest.mark.parametrize("field", ["cycles", "slots", "executed", "dense", "useful"])
def test_a_tile_that_does_too_little(phase, field):
    """Every tile of a phase of the second layer, a tenth less."""
    program, due = program_of()
    for core in program.tiles:
        for tile in [t for ts in core.values() for t in ts if (t.phase, t.layer) == (phase, 1)]:
            if field == "cycles":
                corrupt(tile, "cycles", tile.cycles * 9 // 10)
            else:
                count = getattr(tile.work, field) * 9 // 10
                corrupt(tile, "work", replace(tile.work, **{field: count}))
    assert broken(program, due) == ["array work by position"]


@pytest.mark.parametrize(
    ("phase", "action"),
    [
        (Phase.FP, "fp.reg16"), (Phase.FP, "fp.partial_read"), (Phase.FP, "engine.scan"),
        (Phase.BP, "bp.mac"), (Phase.BP, "bp.gradient_read"), (Phase.BP, "bp.weight_read"),
        (Phase.WG, "wg.accumulator_write"), (Phase.WG, "wg.mac_add"), (Phase.WG, "wg.reg1"),
    ],
)  # fmt: skip
def test_an_action_of_an_array_that_is_charged_too_often(phase, action):
    """One more in every tile that has any."""
    program, due = program_of()
    for core in program.tiles:
        for tile in [t for ts in core.values() for t in ts if t.phase == phase]:
            if action in tile.work.energy:
                tile.work.energy[action] += 1
    assert broken(program, due) == ["array work by position"]


@pytest.mark.parametrize("phase", [Phase.LOSS, Phase.GRAD, Phase.UPDATE, Phase.REDUCE])
def test_a_unit_that_is_a_cycle_too_fast_or_slow(phase):
    """One tile of a unit is enough."""
    job = residual() if phase == Phase.GRAD else chain()
    program, due = program_of("router, own clocks, batch", job)
    tile = next(t for t in program.all_tiles() if t.phase == phase)
    corrupt(tile, "cycles", tile.cycles + 1)
    assert broken(program, due) == ["cycles of the units"]


@pytest.mark.parametrize("phase", [Phase.NORM, Phase.NORM_GRAD])
def test_statistics_that_take_no_time(phase):
    """Tiles of batch normalisation, those of the exchange among them."""
    program, due = program_of("default", residual())
    tiles = [t for t in program.all_tiles() if t.phase == phase and t.cycles]
    assert {t.sample < 0 for t in tiles} == {True, False}
    for tile in tiles:
        before = tile.cycles
        corrupt(tile, "cycles", 0)
        assert broken(program, due) == ["cycles of the units"]
        corrupt(tile, "cycles", before)
