"""A pool as JSON, and back: one number where rows and columns are alike, else both."""

from __future__ import annotations

from typing import Any

from tlm.workload.file import schema
from tlm.workload.file.fault import REMEDY, UNMODELLED, fault
from tlm.workload.file.json_reader import JsonReader
from tlm.workload.model import Pair, Pool

_SIDES = ("size", "stride", "padding", "overhang")


def pool_to_json(pool: Pool | None) -> dict[str, Any] | None:
    """The object that stands for ``pool``, or None; ``overhang`` only where there is any."""
    if pool is None:
        return None
    sides = {name: _side_to_json(getattr(pool, name)) for name in _SIDES}
    if not any(pool.overhang):
        del sides["overhang"]
    return {"kind": pool.kind, **sides}


def pool_from_json(reader: JsonReader, key: str, value: Any) -> Pool | None:
    """The pool of an object, or None of null.

    Raises WorkloadError naming the first value that does not fit.
    """
    if value is None:
        return None
    filled = {"overhang": 0, **value} if isinstance(value, dict) else value
    row = reader.record(key, filled, ("kind", *_SIDES))
    kind = reader.choice(f"{key}.kind", row["kind"], schema.POOLS, UNMODELLED)

    def sides(name: str, low: int, high: Pair) -> Pair:
        return _sides(reader, f"{key}.{name}", row[name], low, high)

    size = sides("size", 1, (schema.MAX_DIMENSION, schema.MAX_DIMENSION))
    stride = sides("stride", 1, (schema.MAX_DIMENSION, schema.MAX_DIMENSION))
    padding = sides("padding", 0, (size[0] // 2, size[1] // 2))
    rounds_up = kind == "max"
    overhang = sides("overhang", 0, (rounds_up * (stride[0] - 1), rounds_up * (stride[1] - 1)))
    return Pool(kind, size, stride, padding, overhang)


def _side_to_json(pair: Pair) -> int | list[int]:
    return pair[0] if pair[0] == pair[1] else list(pair)


def _sides(reader: JsonReader, key: str, value: Any, low: int, high: Pair) -> Pair:
    """One number for rows and columns, or a list of both."""
    if isinstance(value, list) and len(value) != 2:
        raise fault(reader.path, key, "a whole number, or [rows, columns]", value, REMEDY)
    rows, columns = value if isinstance(value, list) else (value, value)
    return reader.integer(key, rows, low, high[0]), reader.integer(key, columns, low, high[1])
