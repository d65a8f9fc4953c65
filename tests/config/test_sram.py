"""SRAM figures by capacity and port: the CACTI table and the rule between its points."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.config.tables.sram import access_pj, area_mm2, leakage_w

KIB = 8 * 1024
CAPACITIES = st.integers(512, 48 * 1024 * KIB)


@pytest.mark.parametrize(
    ("kib", "port", "pj"), [(1, 16, 0.29), (32, 64, 3.04), (128, 256, 16.4), (2048, 16, 11.9)]
)
def test_points_of_the_table_are_kept(kib: int, port: int, pj: float) -> None:
    """At a capacity and width that CACTI was run for, its figure comes out."""
    assert access_pj(kib * KIB, port) == pytest.approx(pj)


def test_between_two_rows_it_is_a_power_law() -> None:
    """Half way in logarithms is the geometric mean, of energy, area and leakage."""
    between = round(KIB * (32 * 64) ** 0.5)
    assert access_pj(between, 64) == pytest.approx((3.04 * 4.93) ** 0.5, rel=1e-4)
    assert area_mm2(between) == pytest.approx((0.051 * 0.095) ** 0.5, rel=1e-4)
    assert leakage_w(between) == pytest.approx((2.26e-3 * 4.11e-3) ** 0.5, rel=1e-4)


def test_a_port_between_two_columns() -> None:
    """A 32 bit port of 32 KiB lies half way between 16 and 64 bit in logarithms."""
    assert access_pj(32 * KIB, 32) == pytest.approx((1.95 * 3.04) ** 0.5)


def test_a_wider_port_is_several_memories() -> None:
    """512 bit are two accesses of 256."""
    assert access_pj(64 * KIB, 512) == pytest.approx(2 * access_pj(64 * KIB, 256))


@given(CAPACITIES, CAPACITIES, st.sampled_from([1, 16, 32, 64, 200, 256]))
def test_more_capacity_never_costs_less(one: int, other: int, port: int) -> None:
    """Energy, leakage and area rise with capacity, beyond the table's ends too."""
    low, high = sorted((one, other))
    assert access_pj(low, port) <= access_pj(high, port) * (1 + 1e-12)
    assert leakage_w(low) <= leakage_w(high) * (1 + 1e-12)
    assert area_mm2(low) <= area_mm2(high) * (1 + 1e-12)
