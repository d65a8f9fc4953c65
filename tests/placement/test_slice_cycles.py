"""Cycles of slices, as mappings are compared by them, against the tiles of a program."""

import numpy as np
import pytest

from tests.program.jobs import Densities, conv, job, linear, loaded_chip
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.placement.laid_layer import LaidLayer
from tlm.placement.search import Search
from tlm.placement.slice_cycles import slice_cycles
from tlm.placement.slices import Slices
from tlm.program.build import build_program
from tlm.storage.allocation import allocate
from tlm.storage.planning import job_on_chip


def network():
    """Two convolutions and a linear layer, 6 samples of 3 steps, none skipped whole."""
    first = conv((3, 12, 12), 32, 3, padding=1)
    second = conv(first.out_shape, 48, 3, padding=1, pool=2)
    last = linear(int(np.prod(second.pooled_shape)), 10)
    densities = Densities(inputs=0.5, spikes=0.2, gradients=0.3, live=1.0)
    return job(first, second, last, batch=6, steps=3, densities=densities)


@pytest.mark.parametrize("phase", ["fp", "bp", "wg"])
@pytest.mark.parametrize(
    "schedule",
    [
        ("mapping.schedule=layerwise",),
        ("mapping.schedule=pipelined", "mapping.group=1"),
        ("mapping.schedule=pipelined", "mapping.group=2"),
        ("mapping.schedule=wavefront",),
    ],
)
def test_cycles_are_those_of_the_tiles(schedule, phase):
    """Within 3 %, under every schedule: its groups and steps make blocks of their own."""
    loaded = loaded_chip(*schedule, "cores=2")
    timing = load_dram_timing(loaded.config.dram.device)
    on_chip = job_on_chip(*network(), loaded, timing)
    grids = Search(on_chip.profiles(), on_chip.target()).run().best.grids
    plan = on_chip.stored(grids, None)
    allocate(plan)
    tiles = [
        tile for core in build_program(plan).tiles for engine in core.values() for tile in engine
    ]
    for layer_plan, profile in zip(plan.layers, on_chip.profiles(), strict=True):
        slices, stores = Slices([layer_plan.cut.grid]), [layer_plan.stored]
        counted = slice_cycles(LaidLayer(profile, slices, stores, on_chip.target()))
        index = layer_plan.layer.index
        program = sum(
            tile.cycles for tile in tiles if (tile.layer, tile.phase.name.lower()) == (index, phase)
        )
        estimated = float(np.sum(getattr(counted, phase)))
        assert estimated == pytest.approx(program, rel=0.03, abs=16), index
