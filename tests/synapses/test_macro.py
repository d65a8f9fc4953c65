"""The macro that holds a memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.config.tables.synapse_memory import load_synapse_memory
from tlm.synapses.macro import array_rows, macro
from tlm.synapses.tables import SynapseTable

TABLE = load_synapse_memory()


def bits(count: int) -> SynapseTable:
    """A memory of so many words of a bit."""
    return SynapseTable("weights", count, 1)


@given(st.integers(1, 1 << 28))
def test_an_array_has_the_first_shape_that_is_wide_enough(count: int) -> None:
    """Shapes of the table in order, then the last with ever doubled rows."""
    shapes = [(shape.rows, shape.columns) for shape in TABLE.sram.shapes]
    rows, columns = shapes[-1]
    shapes += [(rows << step, columns) for step in range(1, 20)]
    fitting = [rows for rows, columns in shapes if count <= rows * columns]
    assert array_rows(count, TABLE.sram) == fitting[0]


@pytest.mark.parametrize("rows", [1024, 2048, 4096, 1 << 15])
def test_energy_falls_where_rows_double(rows: int) -> None:
    """One bit more than a shape holds halves the 560 columns; time goes on."""
    full = rows * TABLE.sram.shapes[-1].columns
    before, after = macro(bits(full), TABLE), macro(bits(full + 1), TABLE)
    assert (before.rows, after.rows) == (rows, 2 * rows)
    assert before.read_pj - after.read_pj == pytest.approx(280 * 0.014, rel=1e-4)
    assert before.write_pj - after.write_pj == pytest.approx(280 * 0.0237, rel=1e-4)
    assert after.read_ps == pytest.approx(before.read_ps, rel=1e-6)


@given(st.integers(2049, 1 << 27), st.integers(1, 1000))
def test_within_a_shape_a_larger_memory_costs_more(count: int, more: int) -> None:
    """Energy and time of reads and writes."""
    small, large = macro(bits(count), TABLE), macro(bits(count + more), TABLE)
    if small.rows == large.rows:
        assert large.read_pj > small.read_pj
        assert large.write_pj > small.write_pj
        assert large.read_ps > small.read_ps


def test_few_words_are_a_register_file() -> None:
    """2,048 words are, 2,049 are not, whatever their width; its access takes no time."""
    assert macro(SynapseTable("weights", 2048, 16), TABLE).read_ps == 0
    assert macro(SynapseTable("weights", 2049, 1), TABLE).read_ps > 0


def test_figures_by_hand() -> None:
    """2 Kib of registers: 0.158 + 2 x 0.0848; 1 Mib: 1024 rows are too few for 560 columns."""
    assert macro(SynapseTable("weights", 256, 8), TABLE).read_pj == pytest.approx(0.3276)
    array = macro(SynapseTable("weights", 1 << 17, 8), TABLE)
    assert (array.rows, array.columns) == (2048, 512)
    assert array.read_pj == pytest.approx(2.41 + 0.299 * 32 + 0.014 * 512)
    assert array.write_ps == pytest.approx(1.52 * (75.4 + 23.7 * 32))


def test_a_memory_without_bits_costs_nothing() -> None:
    """The weights of an all-zero matrix, and pointers of width 0."""
    assert macro(SynapseTable("weights", 0, 8), TABLE).read_pj == 0
    assert macro(SynapseTable("rows", 8, 0), TABLE).write_pj == 0


def test_a_wide_word_is_divided_among_arrays() -> None:
    """64 bits are two words of 32 side by side: twice the energy, the time of one."""
    wide, half = (macro(SynapseTable("synapses", 8192, width), TABLE) for width in (64, 32))
    assert (wide.read_pj, wide.write_pj) == (2 * half.read_pj, 2 * half.write_pj)
    assert (wide.rows, wide.columns, wide.read_ps) == (half.rows, 2 * half.columns, half.read_ps)
