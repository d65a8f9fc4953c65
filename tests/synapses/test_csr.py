"""PB-CSR: two tables that say the same, and the leakage published for it."""

import numpy as np
from hypothesis import given

from tests.synapses.matrices import matrices
from tlm.synapses.csr import CompressedRows
from tlm.synapses.matrix import SynapseMatrix
from tlm.synapses.packing import unpacked


@given(matrix=matrices())
def test_the_reverse_table_finds_the_same_synapses(matrix: SynapseMatrix) -> None:
    """Output by output as input by input."""
    organisation = CompressedRows()
    back = organisation.decode_reverse(organisation.encode(matrix))
    assert np.array_equal(back.codes, matrix.codes)


def test_the_tables_of_three_synapses_by_hand() -> None:
    """Entries (output, weight) and (input, place); a pointer is where its row ends."""
    matrix = SynapseMatrix(np.array([[0, -1, 0], [0, 0, 0], [2, 3, 0]]), width=4)
    forward, forward_pointers, reverse, reverse_pointers = CompressedRows().encode(matrix).contents
    assert unpacked(forward).tolist() == [1 << 4 | 15, 0 << 4 | 2, 1 << 4 | 3]
    assert unpacked(forward_pointers).tolist() == [1, 1, 3]
    assert unpacked(reverse).tolist() == [2 << 2 | 1, 0 << 2 | 0, 2 << 2 | 2]
    assert unpacked(reverse_pointers).tolist() == [1, 3, 3]
