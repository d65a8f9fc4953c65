"""The load of a layer, by which cuts are chosen, against what its program moves."""

import pytest

from tests.reliability.probe import APART
from tlm.config.layers import load_chip
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.placement.layer_load import layer_load
from tlm.placement.profile import profile_layer
from tlm.placement.target import Target
from tlm.program.build import build_program
from tlm.space.phase import Phase
from tlm.storage.planning import make_plan
from tlm.workload import open_workload

FORWARD = {Phase.FP, Phase.NORM}
WEIGHTS = {Phase.WG, Phase.REDUCE, Phase.UPDATE}


@pytest.fixture(scope="module")
def found():
    """DRAM bytes of FP and of WG by layer, estimated and in the program, of ResNet-18.

    Its dW, and the inputs of some layers, exceed the memories of every core where these are apart.
    """
    job = open_workload("s-resnet18[B=2,T=2]:bernoulli(0.15)")
    loaded = load_chip("neuromc-20", APART)
    timing = load_dram_timing(loaded.config.dram.device)
    plan = make_plan(job, job.load(0), loaded, timing)
    target = Target(loaded.config, plan.arrays, timing, loaded.energy)
    moved = {layer_plan.layer.index: [0, 0] for layer_plan in plan.layers}
    for tiles in (one for core in build_program(plan).tiles for one in core.values()):
        for tile in tiles:
            nbytes = sum(size for _, size in (*tile.reads, *tile.writes))
            moved[tile.layer][0] += nbytes * (tile.phase in FORWARD)
            moved[tile.layer][1] += nbytes * (tile.phase in WEIGHTS)
    estimated = {}
    for layer_plan in plan.layers:
        profile = profile_layer(
            job, layer_plan.layer, layer_plan.masks, layer_plan.live, plan.chip, plan.arrays
        )
        load = layer_load(profile, layer_plan.cut.grid, target, job.batch)
        estimated[layer_plan.layer.index] = [load.fp_bytes, load.wg_bytes]
    room = plan.chip.core.memory.accumulators
    beside = [
        layer_plan.layer.index
        for layer_plan in plan.layers
        if room <= 2 * max(map(layer_plan.weight_count, layer_plan.cut.slices)) * 16 <= 2 * room
    ]
    return estimated, moved, beside


@pytest.mark.parametrize(("which", "within"), [(0, 0.15), (1, 0.05)])
def test_the_estimated_bytes_are_those_of_the_program(found, which, within):
    """FP within 15 %, WG with the reduction and the update within 5 %."""
    estimated, moved = (sum(layer[which] for layer in one.values()) for one in found[:2])
    assert estimated == pytest.approx(moved, rel=within)


def test_the_weight_gradient_of_each_hidden_layer_is_estimated(found):
    """Within 15 %, whether dW stays in the accumulators, goes by strips, or comes and goes.

    Of dW that fills half of them or more, the layer above decides: it waits for its update.
    """
    estimated, moved, beside = found
    for layer, (_, nbytes) in moved.items():
        if layer and nbytes > 1e6 and layer not in beside:
            assert estimated[layer][1] == pytest.approx(nbytes, rel=0.15), layer
