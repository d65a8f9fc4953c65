"""Batch normalisation and saved state by policy: closed forms of time, traffic and operations."""

from __future__ import annotations

import numpy as np
import pytest

from tests.program.graphs import NORM, broken_laws, builder, recording, workload
from tests.program.jobs import DENSE, built, tiles_of
from tests.reliability.probe import APART
from tlm.errors import MappingError
from tlm.space.phase import BATCH, Phase
from tlm.storage.slice_sizes import kept_bits

STEPS, BATCH_SIZE, SIDE, CHANNELS = 3, 4, 6, 32
ELEMENTS = STEPS * BATCH_SIZE * SIDE * SIDE * CHANNELS
LANES, DEPTH = 16, 8


def normed(norm=NORM):
    """Two convolutions with batch statistics."""
    net = builder((16, SIDE, SIDE), norm)
    net.conv(CHANNELS, kernel=3, padding=1)
    net.conv(CHANNELS, kernel=3, padding=1)
    job = workload(net.layers, STEPS, BATCH_SIZE)
    return job, recording(job)


def energy(program, layer):
    """Counts of all actions of a layer."""
    total = {}
    for tile in _all(program, layer):
        for action, count in tile.work.energy.items():
            total[action] = total.get(action, 0) + count
    return total


def _all(program, layer):
    return [tile for phase in Phase for tile in tiles_of(program, phase, layer)]


def bytes_of(plan, tiles, name, direction):
    """Bytes of one tensor that tiles read or write."""
    tensor = plan.addresses.tensors[name]
    runs = [run for tile in tiles for run in getattr(tile, direction)]
    inside = (n for at, n in runs if tensor.address <= at < tensor.address + tensor.nbytes)
    return sum(inside)


@pytest.mark.parametrize("split", ["k", "batch", "spatial"])
@pytest.mark.parametrize("cores", [1, 3])
def test_exact_statistics_in_closed_form(split, cores):
    """Operations an element and a channel, cycles of the second walk, and dense BP and WG."""
    job, recorded = normed()
    overrides = (f"mapping.split={split}", f"cores={cores}")
    plan, program = built(job, recorded, *overrides)
    layer_plan = plan.layers[1]
    counted = energy(program, 1)
    for action in ("fp.norm_stat", "fp.norm_op", "bp.norm_stat", "bp.norm_op"):
        assert counted[action] == ELEMENTS
    assert counted["fp.norm_channel"] == counted["bp.norm_channel"] == CHANNELS
    replicas = len(layer_plan.replicas(layer_plan.cut.slices[0]))
    assert counted.get("fp.norm_add", 0) == 2 * CHANNELS * (replicas - 1)
    for phase in (Phase.NORM, Phase.NORM_GRAD):
        tiles = [tile for tile in tiles_of(program, phase, 1) if tile.sample != BATCH]
        walked = sum(-(-tile.covers * tile.samples * tile.steps // LANES) for tile in tiles)
        assert sum(tile.cycles for tile in tiles) == walked + DEPTH * len(tiles)
        assert sum(tile.covers * tile.samples * tile.steps for tile in tiles) == ELEMENTS
    assert layer_plan.live.all()
    assert layer_plan.dY.all()
    broken, _ = broken_laws(plan, program, *overrides)
    assert broken == []


def test_no_neuron_runs_before_the_statistics_are_there():
    """NORM waits for the exchange, which waits for every core's FP of the layer."""
    job, recorded = normed()
    _, program = built(job, recorded, "mapping.split=batch", "cores=4")
    labels = program.completions.labels
    for tile in tiles_of(program, Phase.NORM, 0):
        if tile.sample != BATCH:
            assert any(labels[ident].startswith("NORM statistics") for ident in tile.needs)
    sums = [i for i, label in enumerate(labels) if label.startswith("NORM sums conv0")]
    assert [program.completions.counts[ident] for ident in sums] == [4]


def test_frozen_statistics_keep_the_zeros_and_cost_a_scale():
    """dY is as sparse as dL/dI, nothing is exchanged, no second walk; folded costs nothing."""
    job, recorded = normed()
    for policy in ("frozen", "folded"):
        plan, program = built(job, recorded, f"mapping.batch_norm={policy}")
        np.testing.assert_array_equal(plan.layers[1].dY, recorded.dU[1])
        assert not tiles_of(program, Phase.NORM)
        assert not tiles_of(program, Phase.NORM_GRAD)
        counted = energy(program, 1)
        scaled = ELEMENTS if policy == "frozen" else 0
        assert counted.get("fp.norm_scale", 0) == counted.get("bp.norm_scale", 0) == scaled
        assert "fp.norm_op" not in counted


def test_currents_that_do_not_fit_go_through_dram_once_each_way():
    """Y: written once, read by NORM and by NORM_GRAD; dL/dI: written and read once."""
    job, recorded = normed()
    apart = (*APART, "cores=1")
    plan, program = built(job, recorded, *apart, "core.memory.batch_norm=1 Kib")
    tiles = _all(program, 1)
    elements = ELEMENTS * 2  # bytes
    assert bytes_of(plan, tiles, "conv1.Y", "writes") == elements
    assert bytes_of(plan, tiles, "conv1.Y", "reads") == 2 * elements
    assert bytes_of(plan, tiles, "conv1.dI", "writes") == elements
    assert bytes_of(plan, tiles, "conv1.dI", "reads") == elements
    roomy, program = built(job, recorded, *apart, "core.memory.batch_norm=64 Mib")
    assert "conv1.Y" not in roomy.addresses.tensors
    counted = energy(program, 1)
    assert counted["fp.norm_write"] == counted["fp.norm_read"] == ELEMENTS * 16 // 256
    assert counted["bp.norm_read"] == 2 * ELEMENTS * 16 // 256


def test_gradients_too_large_for_the_core_go_through_dram():
    """dY is written once, and WG reads it once; all laws hold."""
    job, recorded = normed()
    overrides = (*APART, "cores=1", "core.memory.gradients=48 Kib")
    plan, program = built(job, recorded, *overrides)
    assert plan.layers[1].stored.dY == "dram"
    assert bytes_of(plan, _all(program, 1), "conv1.dY", "writes") == 2 * ELEMENTS
    wg = tiles_of(program, Phase.WG, 1)
    assert bytes_of(plan, wg, "conv1.dY", "reads") == 2 * ELEMENTS
    broken, _ = broken_laws(plan, program, *overrides)
    assert broken == []


def chain():
    """Two convolutions without normalisation."""
    return normed(norm=None)


@pytest.mark.parametrize("policy", ["spill", "keep", "recompute"])
def test_saved_state_by_policy(policy):
    """spill moves U twice; keep and recompute never; recompute does FP's work a second time."""
    job, recorded = chain()
    overrides = ("cores=1", f"mapping.state={policy}", "core.memory.membrane=8 Mib")
    plan, program = built(job, recorded, *overrides)
    spilled = "conv1.U" in plan.addresses.tensors
    assert spilled == (policy == "spill")
    if spilled:
        tiles = _all(program, 1)
        assert bytes_of(plan, tiles, "conv1.U", "writes") == 2 * ELEMENTS
        assert bytes_of(plan, tiles, "conv1.U", "reads") == 2 * ELEMENTS
    again = tiles_of(program, Phase.RECOMPUTE, 1)
    assert bool(again) == (policy == "recompute")
    if again:
        first = tiles_of(program, Phase.FP, 1)
        for measure in ("useful", "executed", "dense"):
            assert sum(getattr(t.work, measure) for t in again) == sum(
                getattr(t.work, measure) for t in first
            )
    broken, _ = broken_laws(plan, program, *overrides)
    assert broken == []


def test_an_exception_holds_for_its_layer_alone():
    """mapping.states overrides mapping.state by layer; an unknown layer is refused by name."""
    job, recorded = chain()
    plan, _ = built(job, recorded, "mapping.state=spill", "mapping.states=[conv1=recompute]")
    assert [layer_plan.state for layer_plan in plan.layers] == ["spill", "recompute"]
    with pytest.raises(MappingError, match="no layer conv7 in graph; its layers are conv0, conv1"):
        built(job, recorded, "mapping.states=[conv7=keep]")


def test_state_that_does_not_fit_is_refused_on_one_line():
    """keep names the layer, the core, and what to do."""
    job, recorded = chain()
    with pytest.raises(MappingError, match="layer conv0: state kept on core 0 needs") as caught:
        built(job, recorded, *APART, "cores=1", "mapping.state=keep",
              "core.memory.membrane=16 Kib")  # fmt: skip
    assert "\n" not in str(caught.value)


def test_kept_state_takes_half_of_its_memory():
    """All layers' state fits exactly, and in eight bits less it does not."""
    job, recorded = chain()
    large = (*APART, "cores=1", "mapping.state=keep", "core.memory.membrane=64 Mib")
    plan, _ = built(job, recorded, *large)
    needed = kept_bits(plan, 0)
    built(job, recorded, *large, f"core.memory.membrane={2 * needed} bit")
    with pytest.raises(MappingError, match="state kept on core 0 needs"):
        built(job, recorded, *large, f"core.memory.membrane={2 * needed - 8} bit")


def test_a_carry_that_does_not_fit_goes_through_dram():
    """Blocks of one step of a wide row: U is written after each and read before the next."""
    job, recorded = chain()
    overrides = ("cores=1", "core.memory.partial_sums=2 Kib", "core.memory.membrane=4 Kib")
    plan, program = built(job, recorded, *overrides, *DENSE)
    assert plan.arrays.positions == 8
    moved = ELEMENTS * 2 * (STEPS - 1) // STEPS
    fp = tiles_of(program, Phase.FP, 1)
    assert bytes_of(plan, fp, "conv1.carry", "writes") == moved
    assert bytes_of(plan, fp, "conv1.carry", "reads") == moved
    broken, _ = broken_laws(plan, program, *overrides, *DENSE)
    assert broken == []
