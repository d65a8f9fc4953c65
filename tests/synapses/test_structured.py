"""N:M: groups of inputs, places without a synapse, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.synapses.matrices import matrices
from tlm.errors import ConfigError, WorkloadError
from tlm.synapses.matrix import SynapseMatrix
from tlm.synapses.organisation import named
from tlm.synapses.packing import unpacked
from tlm.synapses.pruning import pruned_in_groups
from tlm.synapses.structured import Structured
from tlm.synapses.tables import SynapseTable

patterns = st.integers(1, 8).flatmap(
    lambda group: st.builds(Structured, st.integers(1, group), st.just(group))
)


@given(matrix=matrices(), pattern=patterns)
def test_pruned_matrices_come_back(matrix: SynapseMatrix, pattern: Structured) -> None:
    """Also where the last group is of fewer inputs; sizes by formula are those encoded."""
    codes = pruned_in_groups(matrix.codes, pattern.kept, pattern.group)
    encoded = pattern.encode(SynapseMatrix(codes, matrix.width))
    assert encoded.tables == pattern.tables(matrix)
    assert np.array_equal(pattern.decode(encoded).codes, codes)


def test_two_of_four_by_hand() -> None:
    """Five inputs are two groups; the places of an input's group stand in a row."""
    codes = np.array([[1, 0], [0, 2], [3, 0], [0, 0], [-1, 0]])
    weights, indices = named("2:4").encode(SynapseMatrix(codes, 4)).contents
    assert unpacked(weights).tolist() == [1, 3, 2, 0, 15, 0, 0, 0]
    assert unpacked(indices).tolist() == [0, 2, 1, 0, 0, 1, 0, 1]


def test_half_the_weights_and_two_bits_each() -> None:
    """2:4 of 784 x 128 weights of 8 bits: 10 bits for half of the places."""
    matrix = SynapseMatrix(np.ones((784, 128), np.int64), 8)
    places = 784 * 128 // 2
    assert named("2:4").tables(matrix) == (
        SynapseTable("weights", places, 8),
        SynapseTable("indices", places, 2),
    )


def test_a_fuller_group_is_refused() -> None:
    """The error says how full, and what to do."""
    matrix = SynapseMatrix(np.ones((4, 1), np.int64), 8)
    with pytest.raises(WorkloadError, match="2:4 keeps 2 synapses in 4 inputs, an output has 4; "):
        named("2:4").encode(matrix)


@pytest.mark.parametrize("name", ["0:4", "5:4", "0:0"])
def test_a_pattern_that_keeps_none_or_too_many_is_refused(name: str) -> None:
    """N is from 1 to M."""
    with pytest.raises(ConfigError, match="N is at least 1 and at most M"):
        named(name)
