"""Random synapse matrices for the tests of this room."""

import numpy as np
from hypothesis import strategies as st

from tlm.synapses.matrix import WIDTHS, SynapseMatrix


@st.composite
def matrices(draw: st.DrawFn, most_width: int = WIDTHS[-1]) -> SynapseMatrix:
    """Any shape up to 24 x 24, any width and density; empty rows and columns, all zeros, 1 x 1."""
    shape = draw(st.tuples(st.integers(1, 24), st.integers(1, 24)))
    width = draw(st.integers(WIDTHS[0], most_width))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    codes = generator.integers(-(1 << (width - 1)), 1 << (width - 1), shape)
    codes[generator.random(shape) >= draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))] = 0
    for axis in range(2):
        codes[(slice(None),) * axis + (generator.random(shape[axis]) < 0.2,)] = 0
    return SynapseMatrix(codes, width)
