"""PB-BMP by hand."""

import numpy as np

from tlm.synapses.bitmap import Bitmap
from tlm.synapses.matrix import SynapseMatrix
from tlm.synapses.packing import unpacked


def test_the_tables_of_three_synapses_by_hand() -> None:
    """A bit per place, input by input; where the weights of each input end; the weights."""
    matrix = SynapseMatrix(np.array([[0, -1, 0], [0, 0, 0], [2, 3, 0]]), width=4)
    bitmap, rows, weights = Bitmap().encode(matrix).contents
    assert unpacked(bitmap).tolist() == [0, 1, 0, 0, 0, 0, 1, 1, 0]
    assert unpacked(rows).tolist() == [1, 1, 3]
    assert unpacked(weights).tolist() == [15, 2, 3]
    assert bitmap.data.tolist() == [0b01000011, 0]
    assert weights.data.tolist() == [0xF2, 0x30]
