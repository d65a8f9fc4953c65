"""Quantities with units: text with a unit outside, a plain number inside.

The list of units is closed: ``18 Kib`` is 18432 bits, ``KB`` is not ``KiB``, ``1 mJ`` is not
``1 MJ``, and ``4 cycles`` is not a time. Arithmetic is decimal, so that ``0.1 ns`` is 100 ps and
not almost 100 ps.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from decimal import Decimal

# The digits are bounded so that no text, however hostile, makes a number too large to hold.
_QUANTITY = re.compile(r"\s*([+-]?\d{1,18}(?:\.\d{1,18})?(?:[eE][+-]?\d{1,2})?)\s*(\S.*?)?\s*")
_LARGEST = 2**53  # whole quantities stay exact in a double and safe in an int64

# What a unit measures, and its size in the first unit of its group. Sizes are powers of 2 and 10,
# whose products and quotients a Decimal holds exactly.
_SIZES: dict[str, dict[str, str | int]] = {
    "information": {
        "bit": 1, "bits": 1, "kbit": 10**3, "Mbit": 10**6, "Gbit": 10**9,
        "Kib": 2**10, "Mib": 2**20, "Gib": 2**30,
        "B": 8, "kB": 8 * 10**3, "KB": 8 * 10**3, "MB": 8 * 10**6, "GB": 8 * 10**9,
        "KiB": 8 * 2**10, "MiB": 8 * 2**20, "GiB": 8 * 2**30,
    },
    "time": {"s": 1, "ms": "1e-3", "us": "1e-6", "ns": "1e-9", "ps": "1e-12"},
    "frequency": {"Hz": 1, "kHz": 10**3, "MHz": 10**6, "GHz": 10**9},
    "rate of data": {
        "bit/s": 1, "kbit/s": 10**3, "Mbit/s": 10**6, "Gbit/s": 10**9, "Tbit/s": 10**12,
        "B/s": 8, "kB/s": 8 * 10**3, "MB/s": 8 * 10**6, "GB/s": 8 * 10**9,
    },
    "cycles": {"cycle": 1, "cycles": 1},
    "energy": {
        "J": 1, "MJ": 10**6, "kJ": 10**3,
        "mJ": "1e-3", "uJ": "1e-6", "nJ": "1e-9", "pJ": "1e-12", "fJ": "1e-15",
    },
    "power": {"W": 1, "mW": "1e-3", "uW": "1e-6", "nW": "1e-9"},
    "area": {"um2": 1, "mm2": 10**6},
}  # fmt: skip
_UNITS = {
    unit: (measure, Decimal(size))
    for measure, sizes in _SIZES.items()
    for unit, size in sizes.items()
}


@dataclass(frozen=True)
class UnitKind:
    """A kind of quantity: how it is written, and the unit it is held in.

    ``shown`` are the units it is printed in, largest first; the last of them is exact for all.
    A ``whole`` kind is held as an int from ``least`` to ``most``, any other as a float.
    """

    noun: str
    example: str
    unit: str
    shown: tuple[str, ...]
    whole: bool = True
    zero_allowed: bool = False
    least: int = 0
    most: int = _LARGEST


MEMORY = UnitKind("an amount of data", "128 bit", "bit", ("Gib", "Mib", "Kib", "bit"))
BYTES = UnitKind("a number of bytes", "256 B", "B", ("GiB", "MiB", "KiB", "B"))
# Times of a run are counted in ps within 64 bits: the slowest clock times the longest delay in
# cycles is 1 s, of which a run may wait a million times over.
FREQUENCY = UnitKind(
    "a frequency", "500 MHz", "Hz", ("GHz", "MHz", "kHz", "Hz"), least=10**4, most=10**12
)
TIME = UnitKind("a time", "60 ns", "ps", ("s", "ms", "us", "ns", "ps"), zero_allowed=True)
LATENCY = replace(TIME, most=10**9)
PERIOD = replace(TIME, least=1, most=10**6)
RATE = UnitKind(
    "a rate of data", "1 Gbit/s", "bit/s", ("Tbit/s", "Gbit/s", "Mbit/s", "kbit/s", "bit/s"),
    least=10**3,
)  # fmt: skip
CYCLES = UnitKind("a number of cycles", "8 cycles", "cycle", ("cycle",), most=10**4)
DELAY = replace(CYCLES, example="2 cycles", zero_allowed=True)
ENERGY = UnitKind("an energy", "0.548 pJ", "pJ", ("pJ",), whole=False, zero_allowed=True)
AREA = UnitKind("an area", "635 um2", "um2", ("um2",), whole=False, zero_allowed=True)
POWER = UnitKind("a power", "31 mW", "W", ("W",), whole=False, zero_allowed=True)


def _factor(unit: str, held_in: str) -> Decimal | None:
    """How many ``held_in`` one ``unit`` is; None if they measure different things."""
    (measure, size), (measure_held, size_held) = _UNITS[unit], _UNITS[held_in]
    return size / size_held if measure == measure_held else None


def parse(kind: UnitKind, value: object) -> int | float:
    """The number of ``kind.unit`` that ``value`` (text with a unit) stands for.

    Raises:
        ValueError: no unit, an unknown or a wrong one, negative, zero or not whole where it must
            be; the text says what was expected.
    """
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    unit = match[2] if match is not None else None
    factor = _factor(_known_unit(kind, unit, value), kind.unit) if unit is not None else None
    if match is None or factor is None:
        raise ValueError(f"{_expected(kind)}, got {_quoted(value)}")
    number = Decimal(match[1]) * factor
    if number < 0 or (number == 0 and not kind.zero_allowed):
        bound = "zero or more" if kind.zero_allowed else "more than zero"
        raise ValueError(f"expected {kind.noun} of {bound}, got {_quoted(value)}")
    return _whole(kind, number, value) if kind.whole else float(number)


def show(kind: UnitKind, value: int | float) -> str:
    """``value`` (in ``kind.unit``) in the largest unit that needs no fraction: ``18 Kib``."""
    if not kind.whole:
        return f"{value!r} {kind.unit}"
    for unit in kind.shown:
        factor = _factor(unit, kind.unit) or Decimal(1)
        if value and Decimal(value) % factor == 0:
            return f"{int(Decimal(value) / factor)} {unit}"
    return f"{value} {kind.unit}"


def show_bits(bits: int) -> str:
    """``bits`` in units of bits and, where they are whole, of bytes: ``8 Kib (1 KiB)``."""
    text = show(MEMORY, bits)
    return text if bits % 8 else f"{text} ({show(BYTES, bits // 8)})"


def _known_unit(kind: UnitKind, unit: str, value: object) -> str:
    """``unit``, if it is in the list; else ValueError, with the units that may be meant."""
    if unit in _UNITS:
        return unit
    allowed = [name for name in _UNITS if _factor(name, kind.unit) is not None]
    close = [name for name in allowed if name.casefold() == unit.casefold()]
    close = close or difflib.get_close_matches(unit, allowed, n=1, cutoff=0.5)
    choice = " or ".join(f'"{name}"' for name in close)
    hint = f"did you mean {choice}?" if close else f"known are {', '.join(allowed)}"
    raise ValueError(f'{_expected(kind)}, got {_quoted(value)}: unknown unit "{unit}"; {hint}')


def _whole(kind: UnitKind, number: Decimal, value: object) -> int:
    if number > kind.most:
        raise ValueError(f"expected at most {show(kind, kind.most)}, got {_quoted(value)}")
    if number != int(number):
        raise ValueError(f"expected a whole number of {kind.unit}, got {_quoted(value)}")
    if number < kind.least:
        raise ValueError(f"expected at least {show(kind, kind.least)}, got {_quoted(value)}")
    return int(number)


def _expected(kind: UnitKind) -> str:
    return f'expected {kind.noun} with its unit (such as "{kind.example}")'


def _quoted(value: object) -> str:
    if value is None:
        return "nothing"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
