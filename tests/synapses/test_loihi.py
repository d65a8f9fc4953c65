"""Loihi's synapse words against a second writing of the formula, and by hand."""

from math import ceil

import numpy as np
import pytest
from hypothesis import given

from tests.synapses.matrices import matrices
from tlm.errors import WorkloadError
from tlm.synapses.loihi import Loihi, core_excess
from tlm.synapses.matrix import SynapseMatrix


def dense(inputs: int, outputs: int, width: int) -> SynapseMatrix:
    """All synapses there."""
    return SynapseMatrix(np.ones((inputs, outputs), np.int64), width)


def axon_bits(synapses: int, weight_bits: int, index_bits: int) -> int:
    """Bits of an axon, group by group as they are filled."""
    bits = 0
    while synapses > 0:
        group = min(64, synapses)
        bits += 64 * ceil((10 + group * (weight_bits + index_bits)) / 64)
        synapses -= group
    return bits


@given(matrix=matrices(most_width=8))
def test_words_are_those_of_the_formula(matrix: SynapseMatrix) -> None:
    """Up to 24 outputs: an index has 6 bits, or none for a single output; 7 bits take 8."""
    weight_bits = 8 if matrix.width == 7 else matrix.width
    index_bits = 6 if matrix.outputs > 1 else 0
    sparse = sum(axon_bits(int(row.sum()), weight_bits, index_bits) for row in matrix.nonzero)
    full = matrix.inputs * axon_bits(matrix.outputs, weight_bits, 0)
    assert Loihi(is_sparse=True).tables(matrix)[0].bits == sparse
    assert Loihi(is_sparse=False).tables(matrix)[0].bits == full


@pytest.mark.parametrize(
    ("outputs", "width", "is_sparse", "words"),
    [
        (1, 8, False, 1),  # 8 + 10 bits
        (6, 8, False, 1),  # 58
        (7, 8, False, 2),  # 66
        (64, 8, False, 9),  # 512 + 10 = 522 of 576
        (65, 8, False, 10),  # a second group of 18
        (128, 8, False, 18),
        (128, 8, True, 32),  # 64 x (8 + 7) + 10 = 970 of 1024, twice
        (4096, 2, True, 14 * 64 + 64),  # 64 x (2 + 12) + 10 = 906 of 960, 64 times
    ],
)
def test_words_of_an_axon_by_hand(outputs: int, width: int, is_sparse: bool, words: int) -> None:
    """One axon with all its synapses."""
    assert Loihi(is_sparse).tables(dense(1, outputs, width))[0].words == words


@pytest.mark.parametrize("synapses", [63, 64, 65, 128, 129, 200])
@pytest.mark.parametrize("is_sparse", [True, False])
def test_groups_that_are_just_full_decode(synapses: int, is_sparse: bool) -> None:
    """An axon whose last group is full is not taken for the begin of the next."""
    codes = np.zeros((3, 200), np.int64)
    codes[:, 200 - synapses :] = np.arange(1, synapses + 1) % 60 + 1
    matrix = SynapseMatrix(codes, 8)
    organisation = Loihi(is_sparse)
    encoded = organisation.encode(matrix)
    assert encoded.tables == organisation.tables(matrix)
    assert np.array_equal(organisation.decode(encoded).codes, codes)


def test_the_limits_of_a_core() -> None:
    """Words, compartments and axons; learning takes two slots of an axon."""
    assert core_excess(16_384, 4_096, 1_024) == []
    assert core_excess(16_385, 1, 1) == ["16,385 words of synapse memory of 16,384"]
    assert core_excess(1, 2_049, 1_025, is_learning=True) == [
        "1,025 compartments of 1,024",
        "4,098 input axons of 4,096",
    ]


def test_what_loihi_does_not_store_is_refused() -> None:
    """Wide weights, and outputs beyond an index of 12 bits."""
    with pytest.raises(WorkloadError, match="Loihi stores no weight of 9 bits: 8 at most"):
        Loihi(is_sparse=True).tables(dense(2, 2, 9))
    with pytest.raises(WorkloadError, match="Loihi stores no output index of 13 bits"):
        Loihi(is_sparse=True).tables(dense(1, 4097, 8))
