"""The load of every layer of a mapping against what its program does."""

from dataclasses import fields

import numpy as np
import pytest

from tests.reliability.probe import APART
from tlm.config.layers import load_chip
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.placement.cutting import candidates, cuts_of
from tlm.placement.laid_layer import LaidLayer
from tlm.placement.layer_load import LayerLoad, layer_load, layer_loads
from tlm.placement.search import Search
from tlm.placement.slice_cycles import slice_cycles
from tlm.placement.slices import Slices
from tlm.placement.stores_alone import stores_alone
from tlm.program.build import build_program
from tlm.space.phase import Phase
from tlm.storage.allocation import allocate
from tlm.storage.planning import job_on_chip
from tlm.workload import open_workload
from tlm.workload.inference import as_inference

FORWARD = {Phase.FP, Phase.NORM}
WEIGHTS = {Phase.WG, Phase.REDUCE, Phase.UPDATE}


@pytest.fixture(scope="module")
def mapped():
    """ResNet-18 on the stock chip with memories apart: what is estimated, and the program's tiles.

    Its dW, and the inputs of some layers, exceed the memories of every core there.
    """
    workload = open_workload("s-resnet18[B=2,T=2]:bernoulli(0.15)")
    loaded = load_chip("neuromc-20", APART)
    job = job_on_chip(
        workload, workload.load(0), loaded, load_dram_timing(loaded.config.dram.device)
    )
    profiles, target = job.profiles(), job.target()
    return _placed(job, profiles, target)


def _placed(job, profiles, target):
    """Loads and cycles of the mapping that is chosen, and the tiles of its program."""
    grids = Search(profiles, target).run().best.grids
    plan = job.stored(grids, None)
    allocate(plan)
    tiles = [
        tile for core in build_program(plan).tiles for engine in core.values() for tile in engine
    ]
    stores = target.stores_of(grids)
    loads = [
        layer_load(profile, grid, target, profile.batch, kept)
        for profile, grid, kept in zip(profiles, grids, stores, strict=True)
    ]
    cycles = [
        slice_cycles(LaidLayer(profile, Slices([grid]), [kept], target))
        for profile, grid, kept in zip(profiles, grids, stores, strict=True)
    ]
    return loads, cycles, tiles


def moved(tiles, phases, layer):
    """Bytes that the program reads and writes in some phases of a layer."""
    return sum(
        size
        for tile in tiles
        if tile.phase in phases and tile.layer == layer
        for _, size in (*tile.reads, *tile.writes)
    )


def weight_bytes(load):
    """Bytes of WG, the reduction and the update."""
    return load.wg_bytes + load.sums_bytes + load.update_bytes


@pytest.mark.parametrize("which", ["fp", "wg"])
def test_the_bytes_are_those_of_the_program(mapped, which):
    """All layers together within 3 %; WG with the reduction and the update."""
    loads, _, tiles = mapped
    phases = FORWARD if which == "fp" else WEIGHTS
    program = sum(moved(tiles, phases, layer) for layer in range(len(loads)))
    estimated = sum(load.fp_bytes if which == "fp" else weight_bytes(load) for load in loads)
    assert estimated == pytest.approx(program, rel=0.03)


def test_the_weight_gradient_of_each_layer_is_estimated(mapped):
    """Whether dW stays in the accumulators, goes by strips, or comes and goes: one layer in ten
    may be off by more than 5 %.
    """
    loads, _, tiles = mapped
    off = [
        layer
        for layer, load in enumerate(loads)
        if weight_bytes(load) != pytest.approx(moved(tiles, WEIGHTS, layer), rel=0.05)
    ]
    assert len(off) <= len(loads) // 10


@pytest.mark.parametrize("phase", ["fp", "bp", "wg"])
def test_the_cycles_of_each_layer_are_those_of_its_tiles(mapped, phase):
    """Of layers with work for a core, within 15 %: blocks that strides leave empty load nothing."""
    _, cycles, tiles = mapped
    for layer, counted in enumerate(cycles):
        of_layer = [
            tile for tile in tiles if (tile.layer, tile.phase.name.lower()) == (layer, phase)
        ]
        program = sum(tile.cycles for tile in of_layer)
        estimated = float(np.sum(getattr(counted, phase)))
        if program > 100_000:
            assert estimated == pytest.approx(program, rel=0.15), layer


def test_layers_of_inference_have_the_load_of_their_forward_pass():
    """Else mappings would be chosen for passes that are not made."""
    workload = as_inference(open_workload("digits"))
    loaded = load_chip("neuromc-20", ["mapping.batch_norm=folded"])
    timing = load_dram_timing(loaded.config.dram.device)
    job = job_on_chip(workload, workload.load(0), loaded, timing)
    for load in _placed(job, job.profiles(), job.target())[0]:
        assert load.fp.any()
        assert not np.any([load.again, load.grad, load.bp, load.wg, load.sums, load.update])
        assert not load.bp_bytes + load.wg_bytes + load.sums_bytes + load.update_bytes


@pytest.mark.parametrize("settings", [(), APART, ("mapping.schedule=pipelined", "mapping.group=2")])
def test_grids_together_have_the_loads_of_each_by_itself(settings):
    """To the last bit: what is compared must not depend on what is beside it."""
    workload = open_workload("digits")
    loaded = load_chip("neuromc-20", [*settings, "mapping.batch_norm=frozen"])
    job = job_on_chip(
        workload, workload.load(0), loaded, load_dram_timing(loaded.config.dram.device)
    )
    target, chip = job.target(), loaded.config
    for profile in job.profiles():
        splits = candidates(profile.layer, profile.batch, chip.cores, "auto", target.arrays)
        grids = cuts_of(profile.layer, profile.work, list(splits), range(chip.cores))
        slices = Slices(grids)
        stores = stores_alone(profile, slices, chip)
        loads = layer_loads(profile, slices, target, profile.batch, stores)
        ends = np.cumsum(slices.parts)
        for at in range(0, len(grids), 7):
            alone = layer_load(profile, grids[at], target, profile.batch, stores[at])
            assert [stores[at]] == stores_alone(profile, Slices([grids[at]]), chip)
            for field in fields(LayerLoad):
                values, expected = getattr(loads, field.name), getattr(alone, field.name)
                if field.type == "Floats":
                    values = values[ends[at] - slices.parts[at] : ends[at]]
                    assert values.tolist() == expected.tolist(), field.name
                else:
                    assert values[at] == expected, field.name
