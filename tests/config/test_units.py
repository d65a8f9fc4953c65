"""Quantities: every value has its unit, and no two units are mixed up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.config import units
from tlm.config.units import BYTES, CYCLES, ENERGY, FREQUENCY, MEMORY, POWER, TIME, parse, show


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (MEMORY, "18 Kib", 18_432),
        (MEMORY, "18Kib", 18_432),
        (MEMORY, "1 bit", 1),
        (MEMORY, "1 bits", 1),
        (MEMORY, "1 kbit", 1_000),
        (MEMORY, "1 KB", 8_000),
        (MEMORY, "1 kB", 8_000),
        (MEMORY, "1 KiB", 8_192),
        (MEMORY, "1.5 Mib", 1_572_864),
        (BYTES, "1 KiB", 1_024),
        (BYTES, "1 KB", 1_000),
        (BYTES, "1 Kib", 128),
        (BYTES, "16 bit", 2),
        (FREQUENCY, "500 MHz", 500_000_000),
        (FREQUENCY, "1.2 GHz", 1_200_000_000),
        (FREQUENCY, "5e2 kHz", 500_000),
        (TIME, "60 ns", 60_000),
        (TIME, "0.625 ns", 625),
        (TIME, "0 s", 0),
        (CYCLES, "8 cycles", 8),
        (CYCLES, "1 cycle", 1),
    ],
)
def test_whole_quantities_are_exact(kind: units.UnitKind, text: str, expected: int) -> None:
    """A whole quantity becomes exactly the int of its internal unit."""
    value = parse(kind, text)
    assert (value, type(value)) == (expected, int)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (ENERGY, "0.548 pJ", 0.548),
        (ENERGY, "1 mJ", 1e9),
        (ENERGY, "1 MJ", 1e18),
        (ENERGY, "0 pJ", 0.0),
        (POWER, "31.6 mW", 0.0316),
    ],
)
def test_energy_and_power(kind: units.UnitKind, text: str, expected: float) -> None:
    """Energies are held in pJ and powers in W; 1 mJ is not 1 MJ."""
    assert parse(kind, text) == expected


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (TIME, "4 cycles"),
        (CYCLES, "4 ns"),
        (TIME, "500 MHz"),
        (FREQUENCY, "2 ns"),
        (MEMORY, "3 s"),
        (ENERGY, "1 W"),
        (POWER, "1 J"),
        (BYTES, "64"),
        (BYTES, ""),
        (BYTES, "B"),
        (BYTES, "64 B/s"),
        (BYTES, "64 B B"),
        (BYTES, "6_4 B"),
        (BYTES, "0x40 B"),
        (BYTES, "nan B"),
        (MEMORY, 18_432),
        (MEMORY, 1.5),
        (MEMORY, True),
        (MEMORY, None),
        (MEMORY, ["18 Kib"]),
    ],
)
def test_what_is_not_the_quantity_is_refused(kind: units.UnitKind, text: object) -> None:
    """A wrong unit or none at all is refused, with the quantity expected and an example."""
    with pytest.raises(ValueError) as caught:
        parse(kind, text)
    message = str(caught.value)
    assert message.startswith(f'expected {kind.noun} with its unit (such as "{kind.example}"), got')


@pytest.mark.parametrize("text", ["-1 Kib", "0 Kib", "0 bit"])
def test_sizes_are_more_than_zero(text: str) -> None:
    """A negative or zero size is refused."""
    with pytest.raises(ValueError, match="more than zero"):
        parse(MEMORY, text)


def test_a_time_may_be_zero_but_not_negative() -> None:
    """A latency of nothing is an ideal, one of less is a mistake."""
    with pytest.raises(ValueError, match="zero or more"):
        parse(TIME, "-1 ns")


@pytest.mark.parametrize("text", ["0.3 ps", "1 bit"])
def test_fractions_of_the_internal_unit_are_refused(text: str) -> None:
    """Nothing is rounded silently."""
    with pytest.raises(ValueError, match="expected a whole number of"):
        parse(TIME if "ps" in text else BYTES, text)


@pytest.mark.parametrize("text", ["1e99 Gib", "9" * 18 + " Gib"])
def test_absurd_sizes_are_refused(text: str) -> None:
    """A number too large for the model's integers is refused, not computed."""
    with pytest.raises(ValueError, match="expected at most"):
        parse(MEMORY, text)


@pytest.mark.parametrize(
    ("unit", "hint"),
    [
        ("KIB", 'did you mean "Kib" or "KiB"?'),
        ("Mibit", 'did you mean "Mbit"?'),
        ("qqq", "known are bit, bits, kbit"),
    ],
)
def test_unknown_units_get_a_suggestion(unit: str, hint: str) -> None:
    """An unknown unit is named, with the closest one of the right kind."""
    with pytest.raises(ValueError) as caught:
        parse(MEMORY, f"18 {unit}")
    assert f'unknown unit "{unit}"' in str(caught.value)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (MEMORY, 18_432, "18 Kib"),
        (MEMORY, 18_433, "18433 bit"),
        (BYTES, 1_024, "1 KiB"),
        (FREQUENCY, 1_200_000_000, "1200 MHz"),
        (TIME, 0, "0 ps"),
        (CYCLES, 8, "8 cycle"),
    ],
)
def test_shown_in_the_largest_whole_unit(kind: units.UnitKind, value: int, text: str) -> None:
    """A quantity is printed without a fraction."""
    assert show(kind, value) == text


@given(st.data(), st.sampled_from([MEMORY, BYTES, FREQUENCY, TIME, CYCLES]))
def test_shown_quantities_parse_to_themselves(data: st.DataObject, kind: units.UnitKind) -> None:
    """Printing and reading a quantity of its range changes nothing."""
    value = data.draw(st.integers(max(1, kind.least), kind.most))
    assert parse(kind, show(kind, value)) == value


@given(st.text(max_size=30))
def test_any_text_is_a_quantity_or_one_line(text: str) -> None:
    """Whatever is written, the answer is a positive int or a ValueError of one short line."""
    try:
        assert int(parse(MEMORY, text)) > 0
    except ValueError as error:
        assert len(str(error)) < 400
