"""Rereads: how often DRAM bytes are read, over cores and over time, and the cause in words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reliability.probe import SMALL, chain
from tlm.running.preparation import prepare
from tlm.running.request import RunRequest
from tlm.studies.rereads import _covered, rereads


def rows(*overrides):
    """All rereads of three layers on four cores."""
    prepared = prepare(RunRequest("chain", overrides=(*SMALL, *overrides)), chain())
    return rereads(prepared, prepared.program, most=10**6)


def row_of(listed, tensor, phase, layer):
    """The row of a tensor."""
    return next(
        row for row in listed if (row.tensor, row.phase, row.layer) == (tensor, phase, layer)
    )


def test_weights_of_a_batch_that_is_cut_in_four():
    """Every core with a share of the samples fetches all weights, once."""
    row = row_of(rows("mapping.split=batch", "mapping.parameters=spill"), "W", "fp", "conv0")
    assert row.needed == 20 * 4 * 3 * 3 * 2
    assert row.nbytes == row.by_cores == 4 * row.needed
    assert row.causes == ("samples and rows are cut in 4: so many cores fetch the same weights",)


def test_rows_that_are_cut_share_what_lies_under_windows():
    """Nine rows in four parts, windows of three: 9 + 2 x 3 rows are read of 9."""
    row = row_of(rows("mapping.split=spatial"), "X", "fp", "conv0")
    assert row.over_cores == (9 + 2 * 3) / 9
    assert row.causes == ("rows are cut in 4: windows reach over the cuts",)


def test_spikes_of_channels_that_are_cut():
    """Every core with other output channels reads the spikes of all inputs for WG."""
    row = row_of(rows("mapping.split=k"), "S", "wg", "conv1")
    assert row.over_cores > 1
    assert row.over_time == 1
    assert "output channels are cut in" in row.causes[0]


def test_what_comes_again_for_every_block():
    """With little room a core fetches its weights for every block, and U carried between them."""
    little = ("weights=8 Kib", "membrane=8 Kib", "partial_sums=4 Kib")
    sizes = (f"core.memory.{size}" for size in little)
    once = ("mapping.static_input=every_step", "mapping.parameters=spill")
    listed = rows("mapping.split=k", *once, *sizes)
    weights = row_of(listed, "W", "bp", "conv1")
    assert (weights.over_cores, weights.over_time) == (1, 12)
    assert "comes again for every block of positions" in weights.causes[0]
    carried = row_of(listed, "U", "fp", "conv0")
    assert carried.over_time > 1
    assert "comes and goes with blocks of steps" in carried.causes[0]


@pytest.mark.parametrize("split", ["k", "batch", "spatial"])
def test_the_parts_multiply_to_what_was_read(split):
    """Read = needed x over cores x over time; every excess has a cause."""
    for row in rows(f"mapping.split={split}", "core.memory.accumulators=16 Kib"):
        assert row.nbytes == pytest.approx(row.needed * row.over_cores * row.over_time)
        assert row.needed <= row.by_cores <= row.nbytes
        assert row.excess > 0
        assert row.causes


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), min_size=1))
def test_covered_bytes_are_those_of_a_set(runs):
    """Held against the bytes themselves."""
    first, nbytes = np.array(runs, np.int64).T
    assert _covered(first, nbytes) == len({at for a, n in runs for at in range(a, a + n)})


def test_the_largest_come_first():
    """Only so many are listed, by falling excess."""
    prepared = prepare(RunRequest("chain", overrides=(*SMALL, "mapping.split=batch")), chain())
    listed = rereads(prepared, prepared.program, most=2)
    every = rereads(prepared, prepared.program, most=10**6)
    assert listed == every[:2]
    assert [row.excess for row in every] == sorted((row.excess for row in every), reverse=True)
