"""The assumed constants of a chip, found from its provenance, and their values 20 % off."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, floor, log2

from tlm.config import load_chip
from tlm.config.layers import LoadedChip
from tlm.config.units import BYTES, CYCLES, FREQUENCY, MEMORY, TIME, show
from tlm.errors import ConfigError

SHARE = 0.2
_KINDS = (MEMORY, BYTES, FREQUENCY, TIME, CYCLES)


def value_of(loaded: LoadedChip, key: str) -> object:
    """The plain value of a dotted key."""
    value: object = loaded.config
    for name in key.split("."):
        value = getattr(value, name)
    return value


def numeric(loaded: LoadedChip) -> list[str]:
    """The assumed keys that hold a number."""
    return [key for key in loaded.assumed if type(value_of(loaded, key)) in (int, float)]


def varied(chip: str, key: str, up: bool) -> str | None:
    """``key=value`` with the legal value nearest beyond 20 %; None if the chip allows none.

    Whole numbers are rounded away from the usual value; where the schema asks for more (a multiple
    of 8, a power of two), to the next such number.
    """
    loaded = load_chip(chip)
    value = value_of(loaded, key)
    assert isinstance(value, int | float)
    for number in _candidates(value, up):
        text = f"{key}={number}{_unit(loaded, key)}"
        try:
            load_chip(chip, [text])
        except ConfigError:
            continue
        return text
    return None


def _candidates(value: float, up: bool) -> Iterator[float]:
    if isinstance(value, float):
        yield value * (1 + SHARE if up else 1 - SHARE)
        return
    if up:
        target = value * (1 + SHARE)
        yield from (ceil(target), 8 * ceil(target / 8), 2 ** ceil(log2(max(1, target))))
    else:
        target = value * (1 - SHARE)
        lower = (floor(target), 8 * floor(target / 8), 2 ** floor(log2(max(1, target))))
        yield from (number for number in lower if 0 < number < value)


def _unit(loaded: LoadedChip, key: str) -> str:
    """The unit of a key's plain value: that of the kind that prints it as the chip does."""
    shown: object = loaded.config.model_dump()
    for name in key.split("."):
        assert isinstance(shown, dict)
        shown = shown[name]
    if not isinstance(shown, str):
        return ""
    value = value_of(loaded, key)
    assert isinstance(value, int)
    return next(f" {kind.unit}" for kind in _KINDS if show(kind, value) == shown)
