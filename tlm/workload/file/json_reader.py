"""Parsed JSON of unknown origin, read value by value."""

from __future__ import annotations

from math import inf, isfinite
from pathlib import Path
from typing import Any

from tlm.workload.file import schema
from tlm.workload.file.fault import REMEDY, fault


class JsonReader:
    """Plain values of file ``path``; every method refuses what is not expected."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def record(self, key: str, value: Any, keys: tuple[str, ...]) -> dict[str, Any]:
        """An object with exactly these keys."""
        if not isinstance(value, dict):
            raise fault(self.path, key, "a JSON object", value, REMEDY)
        unknown = sorted(set(value) - set(keys))
        if unknown:
            raise fault(self.path, key, f"no key but {', '.join(keys)}", unknown[0], REMEDY)
        missing = sorted(set(keys) - set(value))
        if missing:
            raise fault(self.path, key, f'a key "{missing[0]}"', "none", REMEDY)
        return value

    def integer(self, key: str, value: Any, low: int, high: int) -> int:
        """A whole number in low..high."""
        if type(value) is not int or not low <= value <= high:
            expected = f"{low}" if low == high else f"a whole number in {low}..{high}"
            raise fault(self.path, key, expected, value, REMEDY)
        return value

    def integers(self, key: str, value: Any, count: int, low: int) -> Any:
        """A list of ``count`` whole numbers from ``low`` to the largest dimension, as a tuple."""
        if not isinstance(value, list) or len(value) != count:
            raise fault(self.path, key, f"a list of {count} whole numbers", value, REMEDY)
        return tuple(self.integer(key, number, low, schema.MAX_DIMENSION) for number in value)

    def number(self, key: str, value: Any, low: float = -inf) -> float:
        """A finite number of at least ``low``."""
        if type(value) not in (int, float) or not isfinite(value) or value < low:
            least = f" >= {low}" if isfinite(low) else ""
            raise fault(self.path, key, f"a finite number{least}", value, REMEDY)
        return float(value)

    def share(self, key: str, value: Any) -> float:
        """A number from 0 to less than 1."""
        share = self.number(key, value, 0)
        if share >= 1:
            raise fault(self.path, key, "a number from 0 to less than 1", value, REMEDY)
        return share

    def text(self, key: str, value: Any) -> str:
        """A short non-empty printable text."""
        if not isinstance(value, str) or not 0 < len(value) <= 64 or not value.isprintable():
            raise fault(self.path, key, "1..64 printable characters", value, REMEDY)
        return value

    def boolean(self, key: str, value: Any) -> bool:
        """true or false."""
        if type(value) is not bool:
            raise fault(self.path, key, "true or false", value, REMEDY)
        return value

    def choice(self, key: str, value: Any, allowed: tuple[str, ...], remedy: str) -> Any:
        """One of the words ``allowed``."""
        if value not in allowed:
            raise fault(self.path, key, " or ".join(f'"{word}"' for word in allowed), value, remedy)
        return value
