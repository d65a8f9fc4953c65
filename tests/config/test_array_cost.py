"""Synapse arrays: the rule by hand, its laws, and how far it agrees with NVSim."""

from math import sqrt
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evidence.array_fit import samples
from tlm.config.tables.array_cost import array_cost
from tlm.config.tables.spread import Spread
from tlm.config.tables.synapse_array import load_synapse_array
from tlm.synapses.nvsim import array_errors, nvsim_arrays

TABLE = load_synapse_array()
TECHNOLOGIES = st.sampled_from(sorted(TABLE.technologies))


def constant(name: str) -> Spread[float]:
    """The table's constant of a dotted name."""
    *groups, key = name.split(".")
    value = getattr(TABLE.technologies[groups[1]] if groups else TABLE, key)
    assert isinstance(value, Spread)
    return value


def test_figures_by_hand() -> None:
    """1024 rows of 512 STT-RAM cells: 54 F2 of 32 nm each, and an edge of 93.8 um2 a root."""
    cost = array_cost(1024, 512, "stt-ram", TABLE)
    cells, periphery = 2**19 * 54 * 0.032**2 * 1e-6, 93.8e-6 * sqrt(2**19)
    assert cost.area_mm2 == pytest.approx(cells + periphery)
    wire = 0.192 * sqrt(cells + periphery)
    assert cost.read_pj == pytest.approx(512 * (0.163 + wire))
    assert cost.write_pj == pytest.approx(512 * (1 + wire))
    assert cost.leakage_w == pytest.approx(periphery * 18.1e-3)
    assert (cost.read_ps, cost.write_ps) == (1440, 10300)


def test_only_sram_cells_leak() -> None:
    """Its leakage is that of the periphery, and 14.1 nW for each of 8 Ki bits."""
    cost = array_cost(64, 128, "sram", TABLE)
    assert cost.leakage_w == pytest.approx(2**13 * 14.1e-9 + 152e-6 * sqrt(2**13) * 18.1e-3)


@given(st.integers(1, 4096), st.integers(1, 1024), TECHNOLOGIES)
def test_only_the_bits_decide_the_area(rows: int, width: int, technology: str) -> None:
    """An array on its side is as large and leaks as much; reads cost in proportion to the row."""
    upright, lying = (
        array_cost(*shape, technology, TABLE) for shape in ((rows, width), (width, rows))
    )
    assert upright.area_mm2 == pytest.approx(lying.area_mm2)
    assert upright.leakage_w == pytest.approx(lying.leakage_w)
    assert upright.read_pj * rows == pytest.approx(lying.read_pj * width)


@given(st.integers(1, 4096), st.integers(1, 1024), TECHNOLOGIES)
def test_more_rows_cost_more(rows: int, width: int, technology: str) -> None:
    """Area, energies and leakage; and an array of STT-RAM never is larger than one of SRAM."""
    small, large = (array_cost(count, width, technology, TABLE) for count in (rows, rows + 1))
    assert small.area_mm2 < large.area_mm2 <= array_cost(rows + 1, width, "sram", TABLE).area_mm2
    assert small.leakage_w < large.leakage_w
    assert small.read_pj < large.read_pj
    assert small.write_pj < large.write_pj


def test_constants_are_medians_of_the_arrays() -> None:
    """Value, low and high of every calibrated constant, to the digits that the table prints."""
    fitted = samples(TABLE, nvsim_arrays())
    for name, values in fitted.items():
        spread = constant(name)
        assert spread.confidence == "calibrated", name
        expected = [values[0], median(values), values[-1]]
        assert [spread.low, spread.value, spread.high] == pytest.approx(expected, rel=5e-3), name
    assert len(fitted) == 9


# The largest error of each figure over all twelve arrays, rounded up: the words of the page.
@pytest.mark.parametrize(
    ("figure", "worst", "middle"),
    [
        ("read_pj", 0.08, 0.035),
        ("write_pj", 0.05, 0.02),
        ("area_mm2", 0.34, 0.14),
        ("leakage_mw", 0.68, 0.14),
    ],
)
def test_agreement_with_nvsim(figure: str, worst: float, middle: float) -> None:
    """Energies of rows agree; NVSim's areas and leakages step from array to array."""
    sizes = [
        abs(error)
        for array in nvsim_arrays()
        for name, error in array_errors(array, TABLE).items()
        if name == figure
    ]
    assert max(sizes) <= worst
    assert median(sizes) <= middle
    assert max(sizes) > worst / 2


def test_the_file_has_four_arrays_of_each_technology() -> None:
    """And a figure less where NVSim's write is not known."""
    arrays = nvsim_arrays()
    assert len(arrays) == 12
    assert sum("write_pj" in array.figures for array in arrays) == 6
    assert {array.technology for array in arrays} == TABLE.technologies.keys()
