"""Quantities with units: a closed list of units, parsed by pint, held as plain numbers.

The registry below knows no unit but the listed ones, so ``18 Kib`` is 18432 bits, ``KB`` is not
``KiB``, ``1 mJ`` is not ``1 MJ`` and ``4 cycles`` is not a time. Arithmetic is decimal: a value
that is exact in its text is exact in the model.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pint

# The digits are bounded so that no text, however hostile, makes a number too large to hold.
_QUANTITY = re.compile(r"\s*([+-]?\d{1,18}(?:\.\d{1,18})?(?:[eE][+-]?\d{1,2})?)\s*(\S.*?)?\s*")
_LARGEST = 2**53  # whole quantities stay exact in a double and safe in an int64

_UNITS: dict[str, str] = {
    "bit": "[information]",
    "bits": "bit",
    "kbit": "1e3 * bit",
    "Mbit": "1e6 * bit",
    "Gbit": "1e9 * bit",
    "Kib": "1024 * bit",
    "Mib": "1024 * Kib",
    "Gib": "1024 * Mib",
    "B": "8 * bit",
    "kB": "1e3 * B",
    "KB": "1e3 * B",
    "MB": "1e6 * B",
    "GB": "1e9 * B",
    "KiB": "1024 * B",
    "MiB": "1024 * KiB",
    "GiB": "1024 * MiB",
    "s": "[time]",
    "ms": "1e-3 * s",
    "us": "1e-6 * s",
    "ns": "1e-9 * s",
    "ps": "1e-12 * s",
    "Hz": "1 / s",
    "kHz": "1e3 * Hz",
    "MHz": "1e6 * Hz",
    "GHz": "1e9 * Hz",
    "cycle": "[cycle]",
    "cycles": "cycle",
    "J": "[energy]",
    "MJ": "1e6 * J",
    "kJ": "1e3 * J",
    "mJ": "1e-3 * J",
    "uJ": "1e-6 * J",
    "nJ": "1e-9 * J",
    "pJ": "1e-12 * J",
    "fJ": "1e-15 * J",
    "W": "J / s",
    "mW": "1e-3 * W",
    "uW": "1e-6 * W",
    "nW": "1e-9 * W",
    "um2": "[area]",
    "mm2": "1e6 * um2",
}


@dataclass(frozen=True)
class UnitKind:
    """A kind of quantity: how it is written, and the unit it is held in.

    ``shown`` are the units it is printed in, largest first; the last of them is exact for all.
    A ``whole`` kind is held as an int, any other as a float.
    """

    noun: str
    example: str
    unit: str
    shown: tuple[str, ...]
    whole: bool = True
    zero_allowed: bool = False


MEMORY = UnitKind("an amount of data", "128 bit", "bit", ("Gib", "Mib", "Kib", "bit"))
BYTES = UnitKind("a number of bytes", "256 B", "B", ("GiB", "MiB", "KiB", "B"))
FREQUENCY = UnitKind("a frequency", "500 MHz", "Hz", ("GHz", "MHz", "kHz", "Hz"))
TIME = UnitKind("a time", "60 ns", "ps", ("s", "ms", "us", "ns", "ps"), zero_allowed=True)
CYCLES = UnitKind("a number of cycles", "8 cycles", "cycle", ("cycle",))
DELAY = UnitKind("a number of cycles", "2 cycles", "cycle", ("cycle",), zero_allowed=True)
ENERGY = UnitKind("an energy", "0.548 pJ", "pJ", ("pJ",), whole=False, zero_allowed=True)
AREA = UnitKind("an area", "635 um2", "um2", ("um2",), whole=False, zero_allowed=True)
POWER = UnitKind("a power", "31 mW", "W", ("W",), whole=False, zero_allowed=True)


@cache
def _registry() -> pint.UnitRegistry[Any]:
    import pint  # a quarter of a second: only when a first quantity is read

    registry: pint.UnitRegistry[Any]
    registry = pint.UnitRegistry(None, non_int_type=Decimal, case_sensitive=True)
    for name, definition in _UNITS.items():
        registry.define(f"{name} = {definition}")
    return registry


@cache
def _factor(unit: str, held_in: str) -> Decimal | None:
    """How many ``held_in`` one ``unit`` is; None if they measure different things."""
    one = _registry().Quantity(Decimal(1), unit)
    if not one.is_compatible_with(held_in):
        return None
    return Decimal(one.to(held_in).magnitude)


def parse(kind: UnitKind, value: object) -> int | float:
    """The number of ``kind.unit`` that ``value`` (text with a unit) stands for.

    Raises:
        ValueError: no unit, an unknown or a wrong one, negative, zero or not whole where it must
            be; the text says what was expected.
    """
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[2] is None:
        raise ValueError(f"{_expected(kind)}, got {_quoted(value)}")
    factor = _factor(_known_unit(kind, match[2], value), kind.unit)
    if factor is None:
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


def _known_unit(kind: UnitKind, unit: str, value: object) -> str:
    if unit in _UNITS:
        return unit
    allowed = [name for name in _UNITS if _factor(name, kind.unit) is not None]
    close = [name for name in allowed if name.casefold() == unit.casefold()]
    close = close or difflib.get_close_matches(unit, allowed, n=1, cutoff=0.5)
    choice = " or ".join(f'"{name}"' for name in close)
    hint = f"did you mean {choice}?" if close else f"known are {', '.join(allowed)}"
    raise ValueError(f'{_expected(kind)}, got {_quoted(value)}: unknown unit "{unit}"; {hint}')


def _whole(kind: UnitKind, number: Decimal, value: object) -> int:
    if number > _LARGEST:
        raise ValueError(f"expected at most {_LARGEST} {kind.unit}, got {_quoted(value)}")
    if number != int(number):
        raise ValueError(f"expected a whole number of {kind.unit}, got {_quoted(value)}")
    return int(number)


def _expected(kind: UnitKind) -> str:
    return f'expected {kind.noun} with its unit (such as "{kind.example}")'


def _quoted(value: object) -> str:
    if value is None:
        return "nothing"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
