"""Bits of the tables against the leakage that the authors of arXiv 2003.11639 publish.

Cells of ``figure_scripts/iscas_figs/patrick_results 23.56.54.csv``, commit 2db3e4c, of
Intelligent-Microsystems-Lab/QuantizedSNNs (MIT, copyright 2020 Siddharth Joshi, Clemens JS
Schaefer), in W, for weights of 8 bits.
"""

import numpy as np
import pytest

from tlm.synapses.filters import Filters
from tlm.synapses.functional import convolution_named
from tlm.synapses.matrix import SynapseMatrix
from tlm.synapses.organisation import named
from tlm.synapses.pruning import pruned
from tlm.synapses.tables import total_bits

W_PER_BIT = 57e-9
LOGIC_BITS = 1450  # what Func-RowCol leaks beside its tables, in bits; it is 1,000 to 1,500


@pytest.mark.parametrize(
    ("name", "inputs", "density", "leakage", "most"),
    [
        ("crossbar", 784, 1.0, 0.045551, 0.01),
        ("crossbar", 16384, 1.0, 0.936648, 0.03),
        ("pb-bmp", 784, 1.0, 0.051787, 0.01),
        ("pb-bmp", 784, 0.5, 0.0290622, 0.01),
        ("pb-bmp", 784, 0.1, 0.0112990, 0.04),
        ("pb-csr", 784, 1.0, 0.249489, 0.04),
        ("pb-csr", 784, 0.5, 0.1181810, 0.01),
        ("pb-csr", 784, 0.1, 0.0230514, 0.01),
        ("pb-csr", 784, 0.05, 0.0125436, 0.08),
        ("pb-csr", 16384, 1.0, 5.873947, 0.03),
    ],
)
def test_a_fully_connected_layer(
    name: str, inputs: int, density: float, leakage: float, most: float
) -> None:
    """Tables at 57 nW a bit, 128 outputs."""
    matrix = SynapseMatrix(pruned(np.ones((inputs, 128), np.int64), density), width=8)
    assert total_bits(named(name).tables(matrix)) * W_PER_BIT == pytest.approx(leakage, rel=most)


@pytest.mark.parametrize(
    ("name", "filters", "window", "image", "leakage", "most"),
    [
        ("func-rowcol", 32, 3, 28, 2.2389e-4, 0.01),
        ("func-rowcol", 16, 3, 28, 1.5960e-4, 0.01),
        ("func-rowcol", 32, 7, 28, 7.8221e-4, 0.04),
        ("func-rowcol", 32, 3, 128, 2.2389e-4, 0.01),
        ("pb-bmp", 32, 3, 28, 2.7289e-4, 0.17),
        ("pb-bmp", 32, 7, 28, 9.3878e-4, 0.01),
        ("pb-csr", 32, 3, 28, 2.08747e-3, 0.03),
        ("pb-csr", 16, 3, 28, 1.01157e-3, 0.01),
        ("pb-csr", 32, 7, 28, 3.29274e-3, 0.05),
        ("pb-csr", 32, 3, 128, 2.990872e-2, 0.02),
    ],
)
def test_a_convolution(
    name: str, filters: int, window: int, image: int, leakage: float, most: float
) -> None:
    """Tables and, but for PB-CSR, logic at 57 nW a bit; one input channel, the image padded."""
    codes = np.ones((filters, 1, window, window), np.int64)
    layer = Filters(codes, 8, (image, image), (window // 2, window // 2))
    bits = total_bits(convolution_named(name).tables(layer))
    bits += 0 if name == "pb-csr" else LOGIC_BITS
    assert bits * W_PER_BIT == pytest.approx(leakage, rel=most)
