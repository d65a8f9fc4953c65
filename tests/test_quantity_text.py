"""Quantities as people read them: a unit that fits and three digits."""

import pytest

from tlm.quantity_text import energy_text, energy_unit, nbytes_text, time_text, time_unit


def test_units_for_people() -> None:
    """1.5e6 ps reads as us, 2e12 pJ as J, nothing as the smallest unit."""
    assert time_unit(1.5e6) == (1e6, "us")
    assert energy_unit(2e12) == (1e12, "J")
    assert energy_unit(0.0) == (1.0, "pJ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (time_text(0), "0 ps"),
        (time_text(1_234_567), "1.23 us"),
        (time_text(-2.5e9), "-2.5 ms"),
        (time_text(999_600_000), "1,000 us"),
        (time_text(1.5e16), "15,000 s"),
        (energy_text(0.25), "0.25 pJ"),
        (nbytes_text(999), "999 B"),
        (nbytes_text(4_200_000), "4.2 MB"),
    ],
)
def test_three_digits_in_the_largest_unit_reached(text: str, expected: str) -> None:
    """Below the smallest unit and above the largest, the number says the rest."""
    assert text == expected
