"""Cuts: every layer tiled exactly once, balanced by recorded work, on any number of cores."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.program.jobs import Densities, conv, job, linear, loaded_chip, place
from tests.program.loops import convolutions
from tlm.counts.core_arrays import arrays_of
from tlm.counts.masks import Masks
from tlm.placement.cutting import candidates, cuts_of
from tlm.placement.profile import profile_layer
from tlm.space.grid import Grid, Split
from tlm.space.region import balanced_cuts, cuts, length

KINDS = (
    *("auto", "k", "batch", "spatial", "k+batch", "k+spatial", "batch+spatial"),
    *("placed", "placed+k", "placed+spatial"),
)


def mesh(cores):
    """Overrides for a mesh that holds some cores."""
    columns = next(side for side in range(1, 9) if side * 8 >= cores)
    return (f"mesh.columns={columns}", "mesh.rows=8", f"cores={cores}")


def least_largest(work, parts):
    """The least possible largest sum of consecutive spans, by trying all cuts."""
    best = []
    for inner in itertools.combinations(range(1, len(work)), parts - 1):
        ends = (0, *inner, len(work))
        best.append(max(sum(work[a:b]) for a, b in itertools.pairwise(ends)))
    return min(best)


@given(work=st.lists(st.integers(0, 50), min_size=1, max_size=8), parts=st.integers(1, 8))
def test_the_largest_span_is_as_small_as_can_be(work, parts):
    """Spans adjoin, none is empty, and no other cut has a smaller maximum."""
    spans = balanced_cuts(work, parts)
    assert len(spans) == min(parts, len(work))
    assert [spans[0][0], *(b for _, b in spans)] == sorted({0, len(work), *sum(spans, ())})
    assert all(a < b for a, b in spans)
    assert max(sum(work[a:b]) for a, b in spans) == least_largest(work, len(spans))


@given(units=st.integers(1, 40), parts=st.integers(1, 40))
def test_equal_work_is_cut_evenly(units, parts):
    """Sizes differ by one at most, as those of a plain cut."""
    assert sorted(map(length, balanced_cuts([7] * units, parts))) == sorted(
        map(length, cuts(units, parts))
    )


def test_work_decides_where_a_layer_is_cut():
    """64 channels on two cores: 48 + 16 where the last tile has more work than two others."""
    assert balanced_cuts([1, 1, 1, 3], 2) == [(0, 3), (3, 4)]
    first = conv((16, 6, 6), 64, 3, padding=1)
    second = conv(first.out_shape, 64, 3, padding=1)
    densities = Densities(spikes=0.01, masks=1.0, live=1.0)
    workload, recording = job(first, second, linear(64 * 36, 10), densities=densities)
    recording.dU[1][:, :, :48] = False  # dU of the last tile only
    recording.dU[1][:, :, 48:] = True
    chip = loaded_chip().config
    masks = Masks(workload, recording, sparse_norm=True)
    live = np.ones((2, 2), bool)
    layer = workload.layers[1]
    profile = profile_layer(workload, layer, masks, live, chip, arrays_of(chip))
    tiles = profile.work.along[1]
    assert tiles[3] > 2 * max(tiles[:3])
    [grid] = cuts_of(layer, profile.work, [Split(2, 1, 1)], range(20))
    assert grid.channels == (0, 48, 64)


@st.composite
def small_jobs(draw):
    """A convolution with or without a pool, another one, and a linear layer."""
    pool = draw(st.sampled_from([None, 2]))
    side = draw(st.integers(4, 9))
    shape = (draw(st.integers(1, 20)), side, side)
    first = conv(shape, draw(st.integers(1, 70)), 3, padding=1, pool=pool)
    second = conv(first.pooled_shape, draw(st.integers(1, 40)), 1, draw(st.integers(1, 2)))
    last = linear(int(np.prod(second.out_shape)), 10)
    return job(first, second, last, batch=draw(st.integers(1, 5)), seed=draw(st.integers(0, 9)))


def check_tiling(layer, batch, grid, cores):
    """Each neuron, each input row and each core belongs to one slice at most, and all neurons."""
    owned = np.zeros((batch, *layer.out_shape[:2]), int)
    for part in grid.slices():
        at = part.neurons
        owned[slice(*at.samples), slice(*at.channels), slice(*at.rows)] += 1
        assert min(length(at.samples), length(at.channels), length(at.rows)) > 0
    assert (owned == 1).all()
    assert (grid.input_rows[0], grid.input_rows[-1]) == (0, layer.in_shape[1])
    assert list(grid.input_rows) == sorted(grid.input_rows)
    assert len(set(grid.cores)) == len(grid.cores) == grid.split.parts <= cores
    assert all(0 <= core < cores for core in grid.cores)


@settings(max_examples=60)
@given(drawn=small_jobs(), cores=st.integers(1, 64), kind=st.sampled_from(KINDS))
def test_any_number_of_cores_holds_each_layer_exactly_once(drawn, cores, kind):
    """1 to 64 cores, primes too, every kind of split: all neurons once, cuts where they may be."""
    plan = place(*drawn, *mesh(cores), f"mapping.split={kind}")
    for layer_plan in plan.layers:
        check_tiling(layer_plan.layer, plan.workload.batch, layer_plan.cut.grid, cores)
        assert all(cut % 16 == 0 for cut in layer_plan.cut.grid.channels[:-1])
        if layer_plan.layer.pool is not None:
            assert all(cut % 2 == 0 for cut in layer_plan.cut.grid.rows[:-1])
        if "k" not in kind and kind not in ("auto", "placed"):
            assert layer_plan.cut.grid.split.k == 1
    if "placed" in kind and cores > 1:
        first, last = plan.layers[0].cut.grid.cores, plan.layers[-1].cut.grid.cores
        assert not set(first) & set(last)


@pytest.mark.parametrize("kind", ["auto", "k", "batch", "spatial", "k+batch"])
def test_candidates_are_all_products_that_fit(kind):
    """Against a loop over all products."""
    arrays = arrays_of(loaded_chip().config)
    layer = conv((4, 8, 8), 40, 3, padding=1, pool=2)
    most = {"k": 3, "batch": 5, "spatial": 4}
    named = set(most) & set(kind.split("+")) or set(most)
    sides = [range(1, most[name] + 1) if name in named else (1,) for name in most]
    expected = {s for s in itertools.product(*sides) if np.prod(s) <= 13}
    found = {(s.k, s.batch, s.spatial) for s in candidates(layer, 5, 13, kind, arrays)}
    assert found == expected


def test_slices_follow_the_order_of_the_cores():
    """Samples, then rows, then channels, the channels fastest."""
    grid = Grid((0, 16, 20), (0, 1, 3), (0, 4, 6), (0, 4, 8), tuple(range(8, 0, -1)))
    parts = grid.slices()
    assert [part.core for part in parts] == list(range(8, 0, -1))
    assert [part.neurons.channels for part in parts[:2]] == [(0, 16), (16, 20)]
    assert parts[2].neurons.rows == (4, 6)
    assert parts[2].input_rows == (4, 8)
    assert parts[4].neurons.samples == (1, 3)
    assert grid.split == Split(2, 2, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_that_reads_itself_is_cut_along_samples_alone(kind):
    """Its core has all that it reads; of other kinds of cuts one core is left."""
    job, arrays = convolutions(), arrays_of(loaded_chip().config)
    splits = set(candidates(job.layers[1], 4, 20, kind, arrays))
    assert splits <= {Split(1, batch, 1) for batch in range(1, 5)}
    assert Split(1, 1, 1) in splits
