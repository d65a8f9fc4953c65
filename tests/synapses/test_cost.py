"""Energy and time of passes, by hand and by what must hold of any matrix."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.synapses.matrices import matrices
from tlm.config.tables.synapse_memory import load_synapse_memory
from tlm.synapses.cost import SynapseCost, synapse_cost
from tlm.synapses.matrix import SynapseMatrix
from tlm.synapses.organisation import NAMES
from tlm.synapses.published import EvenCounts

TABLE = load_synapse_memory()


def cost(organisation: str, inputs: int, outputs: int, density: float = 1.0) -> SynapseCost:
    """Of 8-bit weights."""
    return synapse_cost(organisation, EvenCounts(inputs, outputs, 8, density), TABLE)


def test_a_small_crossbar_by_hand() -> None:
    """256 words of 8 bits, 2 Kib of registers, at 300 MHz."""
    small = cost("crossbar", 16, 16)
    assert small.forward.cycles == 3 * 256
    assert small.forward.memory_pj == pytest.approx(256 * (0.158 + 2 * 0.0848))
    assert small.forward.controller_pj == pytest.approx(768 * 0.0288)
    assert small.forward.time_ps == pytest.approx(768 * 1e4 / 3)
    read_and_write = 0.158 + 0.532 + 2 * (0.0848 + 0.0938)
    assert small.backward.memory_pj == pytest.approx(256 * read_and_write)
    assert small.leakage_w == pytest.approx(2048 * 57e-9)


def test_a_large_crossbar_waits_for_its_array() -> None:
    """A read within 3 cycles' time and its own; a write takes 1.52 times the access of a read."""
    large = cost("crossbar", 512, 256)
    access = 75.4 + 23.7 * 32  # 1 Mib
    assert large.forward.time_ps == pytest.approx((1 << 17) * (1e4 + access))
    assert large.backward.time_ps == pytest.approx((1 << 17) * (2e4 + 2.52 * access))


def test_cycles_of_sparse_organisations_by_hand() -> None:
    """100 x 50 at a density of 0.2: 1,000 synapses of 5,000."""
    bitmap, compressed = (cost(name, 100, 50, 0.2) for name in ("pb-bmp", "pb-csr"))
    assert bitmap.forward.cycles == 2 * 5000 + 1000 + 100
    assert bitmap.backward.cycles == 5 * 5000 + 1000 + 100
    assert compressed.forward.cycles == 5 * 1000 + 100
    assert compressed.backward.cycles == 3 * 5000 + 8 * 1000 + 50


@pytest.mark.parametrize("organisation", [*NAMES, "2:4"])
@given(matrix=matrices(most_width=8))
def test_figures_are_finite_and_a_backward_pass_costs_more(
    organisation: str, matrix: SynapseMatrix
) -> None:
    """For any matrix, all zeros included."""
    figures = synapse_cost(organisation, matrix, TABLE)
    assert 0 <= figures.forward.energy_pj <= figures.backward.energy_pj < 1e12
    assert 0 <= figures.forward.time_ps <= figures.backward.time_ps < 1e15
    assert 0 <= figures.leakage_w < 1


@given(st.permutations(range(12)), st.integers(0, 99))
def test_only_counts_matter(order: list[int], seed: int) -> None:
    """Rows in another order cost the same in every organisation."""
    codes = np.random.default_rng(seed).integers(-2, 3, (12, 7))
    for name in NAMES:
        shuffled = synapse_cost(name, SynapseMatrix(codes[order], 4), TABLE)
        assert shuffled == synapse_cost(name, SynapseMatrix(codes, 4), TABLE)
