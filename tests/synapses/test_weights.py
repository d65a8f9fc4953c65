"""Codes from weights: quantised, pruned, refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.errors import WorkloadError
from tlm.synapses.matrix import SynapseMatrix
from tlm.synapses.pruning import pruned, pruned_in_groups
from tlm.synapses.quantised import quantised

seeds = st.integers(0, 2**32 - 1)


@given(seed=seeds, width=st.integers(2, 16))
def test_codes_are_within_half_a_scale(seed: int, width: int) -> None:
    """The largest takes the largest code; zero stays zero; opposite weights stay opposite."""
    weights = np.random.default_rng(seed).normal(size=(5, 7))
    weights[0, 0] = 0
    result = quantised(weights, width)
    assert np.abs(result.weights - weights).max() <= result.scale * 0.500001
    assert np.abs(result.codes).max() == (1 << (width - 1)) - 1
    assert result.codes[0, 0] == 0
    assert np.array_equal(quantised(-weights, width).codes, -result.codes)


@pytest.mark.parametrize("value", [0.0, 5e-324])
def test_weights_without_a_scale_become_zero(value: float) -> None:
    """All zero, or so small that no number is the scale."""
    assert not quantised(np.full((2, 2), value), 8).codes.any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(value: float) -> None:
    """In one line."""
    with pytest.raises(WorkloadError, match="infinite or no number"):
        quantised(np.array([1.0, value]), 8)


@pytest.mark.parametrize("width", [1, 17])
def test_a_width_that_no_weight_has_is_refused(width: int) -> None:
    """By codes and by quantisation."""
    with pytest.raises(WorkloadError, match=f"2 to 16 bits, not {width}"):
        quantised(np.ones(3), width)
    with pytest.raises(WorkloadError, match=f"2 to 16 bits, not {width}"):
        SynapseMatrix(np.zeros((1, 1), np.int64), width)


@given(seed=seeds, density=st.floats(0, 1))
def test_the_largest_weights_are_kept(seed: int, density: float) -> None:
    """As many as asked; none that is kept is smaller than one that is not."""
    weights = np.random.default_rng(seed).normal(size=(6, 5))
    kept = pruned(weights, density)
    assert np.count_nonzero(kept) == round(density * 30)
    assert np.array_equal(kept[kept != 0], weights[kept != 0])
    lost = np.abs(weights[kept == 0]).max(initial=0)
    assert np.abs(kept[kept != 0]).min(initial=np.inf) >= lost


@given(seed=seeds, kept=st.integers(1, 4))
def test_every_group_keeps_its_largest(seed: int, kept: int) -> None:
    """Groups of 4 of 10 inputs: the last has 2."""
    weights = np.random.default_rng(seed).normal(size=(10, 3))
    result = pruned_in_groups(weights, kept, 4)
    for start in (0, 4, 8):
        for column in range(3):
            group, left = weights[start : start + 4, column], result[start : start + 4, column]
            largest = sorted(group, key=abs)[-kept:]
            assert sorted(left[left != 0]) == sorted(largest)


def test_equal_weights_are_kept_in_their_order() -> None:
    """The first of equal ones, whatever the machine sorts like."""
    assert pruned(np.ones((2, 2)), 0.5).tolist() == [[1, 1], [0, 0]]
    assert pruned_in_groups(np.ones((4, 1)), 2, 4).ravel().tolist() == [1, 1, 0, 0]


def test_what_is_no_matrix_of_codes_is_refused() -> None:
    """Shape, kind and range, each with what was given."""
    with pytest.raises(WorkloadError, match=r"has the shape \(3,\)"):
        SynapseMatrix(np.zeros(3, np.int64), 8)
    with pytest.raises(WorkloadError, match=r"has the shape \(0, 2\)"):
        SynapseMatrix(np.zeros((0, 2), np.int64), 8)
    with pytest.raises(WorkloadError, match="these are float64; quantise them"):
        SynapseMatrix(np.zeros((1, 1)), 8)
    with pytest.raises(WorkloadError, match="between -8 and 7, these between 0 and 8"):
        SynapseMatrix(np.array([[0, 8]]), 4)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16])
def test_codes_of_any_whole_type_are_taken(kind: type) -> None:
    """Narrow types hold them as files do."""
    matrix = SynapseMatrix(np.array([[0, 1], [2, 3]], kind), 8)
    assert matrix.codes.dtype == np.int64
    assert (matrix.synapses, matrix.density, matrix.fan_out.tolist()) == (3, 0.75, [1, 2])
