"""Recorded work: what cuts are balanced by is what the tiles of a program take."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.program.jobs import Densities, built, conv, job, linear, loaded_chip, tiles_of
from tlm.counts.core_arrays import arrays_of
from tlm.counts.masks import Masks
from tlm.placement.profile import profile_layer
from tlm.placement.slices import Slices
from tlm.space.phase import Phase


def two_layers(seed=0, stride=1, **densities):
    """Two convolutions and a linear layer, of a few tiles each."""
    first = conv((20, 12, 12), 40, 3, padding=1)
    second = conv(first.out_shape, 33, 3, stride=stride, padding=1)
    last = linear(int(np.prod(second.out_shape)), 10)
    return job(first, second, last, batch=3, steps=3, seed=seed, densities=Densities(**densities))


def work_of(drawn, index, *overrides):
    """The work map of one layer."""
    workload, recording = drawn
    chip = loaded_chip(*overrides).config
    masks = Masks(workload, recording, sparse_norm=True)
    live = recording.dU[index].any(axis=(2, 3, 4))
    layer = workload.layers[index]
    return profile_layer(workload, layer, masks, live, chip, arrays_of(chip)).work


@pytest.mark.parametrize("mode", ["vector", "dense"])
@pytest.mark.parametrize("stride", [1, 2])
def test_estimated_cycles_are_close_to_those_of_the_tiles(mode, stride):
    """Within 10 % for FP, BP and WG of a layer on one core; 25 % where the scan is in the way."""
    overrides = [f"core.engines.{engine}.mode={mode}" for engine in ("fp", "bp", "wg")]
    overrides += ["cores=1", "core.engines.bp.grid=inserted", "core.engines.wg.grid=compacted"]
    drawn = two_layers(stride=stride, inputs=0.1, spikes=0.05, gradients=0.05, masks=0.1)
    _, program = built(*drawn, *overrides)
    work = work_of(drawn, 1, *overrides)
    phases = {"fp": [Phase.FP], "bp": [Phase.BP], "wg": [Phase.WG]}
    for name, wanted in phases.items():
        cycles = sum(tile.cycles for phase in wanted for tile in tiles_of(program, phase, 1))
        assert getattr(work, name).sum() == pytest.approx(
            cycles, rel=0.1 if mode == "dense" else 0.25
        ), name


@settings(max_examples=20)
@given(data=st.data(), seed=st.integers(0, 5))
def test_slices_share_all_of_the_work(data, seed):
    """Whatever the cuts, the slices' streams add up to the layer's."""
    drawn = two_layers(seed)
    work = work_of(drawn, 1)
    grid = built(*drawn, "mapping.split=auto")[0].layers[1].cut.grid
    fp, bp, wg = work.by_slice(Slices([grid]))
    assert [fp.sum(), bp.sum(), wg.sum()] == [stream.sum() for stream in work.streams]
    axis = data.draw(st.integers(0, 2))
    total = work.fp.sum() + work.grad.sum() + work.wg.sum()
    assert sum(work.along[axis]) == total + (work.bp.sum() if axis < 2 else 0)
