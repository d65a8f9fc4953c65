"""A layer's operand as JSON, and back: what is not said is as it usually is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

from tlm.workload.file import schema
from tlm.workload.file.fault import REMEDY, fault
from tlm.workload.file.json_reader import JsonReader
from tlm.workload.file.pool_json import pool_to_json
from tlm.workload.model import NETWORK_INPUT, Pool
from tlm.workload.operand import Factor, Gate, Line, Operand, Part, Step, Term, Window

PoolReader = Callable[[str, Any], Pool | None]

_LINE = {"step": 1, "repeat": 1, "before": 0, "after": 0, "spread": 1}
_FACTOR: dict[str, Any] = {"way": [], "delay": 0}
_TERM: dict[str, Any] = {**_FACTOR, "gates": []}
_GATE: dict[str, Any] = {**_FACTOR, "inverted": False}


def operand_to_json(operand: Operand) -> list[dict[str, Any]]:
    """Parts in order, each with its number of channels and its terms."""
    return [
        {"channels": part.channels, "terms": [_term_to_json(term) for term in part.terms]}
        for part in operand.parts
    ]


def operand_from_json(reader: JsonReader, pool: PoolReader, key: str, value: Any) -> Operand | None:
    """The operand of a list of parts, or None of null; ``pool`` reads a pool.

    Raises WorkloadError naming the first value that does not fit.
    """
    if value is None:
        return None
    parts = []
    for at, part in enumerate(_listed(reader, key, value, 1)):
        here = f"{key}[{at}]"
        row = reader.record(here, part, ("channels", "terms"))
        channels = reader.integer(f"{here}.channels", row["channels"], 1, schema.MAX_DIMENSION)
        terms = _listed(reader, f"{here}.terms", row["terms"], 0)
        read = [_term(reader, pool, f"{here}.terms[{n}]", term) for n, term in enumerate(terms)]
        parts.append(Part(channels, tuple(read)))
    return Operand(tuple(parts))


def _listed(reader: JsonReader, key: str, value: Any, least: int) -> list[Any]:
    if not isinstance(value, list) or not least <= len(value) <= schema.MAX_PARTS:
        raise fault(reader.path, key, f"a list of {least}..{schema.MAX_PARTS}", value, REMEDY)
    return value


def _term_to_json(term: Term) -> dict[str, Any]:
    gates = [
        _without(_GATE, {**_factor_to_json(gate), "inverted": gate.inverted}) for gate in term.gates
    ]
    return _without(_TERM, {**_factor_to_json(term), "gates": gates})


def _factor_to_json(factor: Factor) -> dict[str, Any]:
    way = [_step_to_json(step) for step in factor.way]
    return {"source": factor.source, "way": way, "delay": factor.delay}


def _step_to_json(step: Step) -> dict[str, Any] | None:
    if not isinstance(step, Window):
        assert isinstance(step, Pool)
        return pool_to_json(step)
    row = asdict(step)
    return {**row, "rows": _without(_LINE, row["rows"]), "columns": _without(_LINE, row["columns"])}


def _without(usual: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in usual or value != usual[name]}


def _term(reader: JsonReader, pool: PoolReader, key: str, value: Any) -> Term:
    row = reader.record(key, _filled(_TERM, value), ("source", *_TERM))
    read = _factor(reader, pool, key, row)
    gates = _listed(reader, f"{key}.gates", row["gates"], 0)
    return Term(
        read.source,
        read.way,
        read.delay,
        tuple(_gate(reader, pool, f"{key}.gates[{at}]", gate) for at, gate in enumerate(gates)),
    )


def _gate(reader: JsonReader, pool: PoolReader, key: str, value: Any) -> Gate:
    row = reader.record(key, _filled(_GATE, value), ("source", *_GATE))
    read = _factor(reader, pool, key, row)
    inverted = reader.boolean(f"{key}.inverted", row["inverted"])
    return Gate(read.source, read.way, read.delay, inverted)


def _factor(reader: JsonReader, pool: PoolReader, key: str, row: dict[str, Any]) -> Factor:
    way = _listed(reader, f"{key}.way", row["way"], 0)
    return Factor(
        source=reader.integer(f"{key}.source", row["source"], NETWORK_INPUT, schema.MAX_LAYERS - 1),
        way=tuple(_step(reader, pool, f"{key}.way[{at}]", step) for at, step in enumerate(way)),
        delay=reader.integer(f"{key}.delay", row["delay"], 0, schema.MAX_STEPS),
    )


def _step(reader: JsonReader, pool: PoolReader, key: str, value: Any) -> Step:
    """A window, or a pool."""
    if not isinstance(value, dict) or "rows" not in value:
        read = pool(key, value)
        if read is None:
            raise fault(reader.path, key, "a window or a pool", value, REMEDY)
        return read
    row = reader.record(key, value, tuple(field.name for field in fields(Window)))
    shape = row["shape"]
    if not isinstance(shape, list) or len(shape) != 3:
        raise fault(reader.path, f"{key}.shape", "[C, H, W]", shape, REMEDY)
    channels, height, width = (
        reader.integer(f"{key}.shape", size, 1, schema.MAX_DIMENSION) for size in shape
    )
    start = reader.integer(f"{key}.start", row["start"], 0, channels - 1)
    return Window(
        shape=(channels, height, width),
        start=start,
        stop=reader.integer(f"{key}.stop", row["stop"], start + 1, channels),
        rows=_line(reader, f"{key}.rows", row["rows"], height),
        columns=_line(reader, f"{key}.columns", row["columns"], width),
    )


def _line(reader: JsonReader, key: str, value: Any, size: int) -> Line:
    row = reader.record(key, _filled(_LINE, value), ("start", "stop", *_LINE))

    def whole(name: str, low: int, high: int) -> int:
        return reader.integer(f"{key}.{name}", row[name], low, high)

    start = whole("start", 0, size - 1)
    return Line(
        start=start,
        stop=whole("stop", start + 1, size),
        step=whole("step", 1, schema.MAX_DIMENSION),
        repeat=whole("repeat", 1, schema.MAX_DIMENSION),
        before=whole("before", 0, schema.MAX_DIMENSION),
        after=whole("after", 0, schema.MAX_DIMENSION),
        spread=whole("spread", 1, schema.MAX_DIMENSION),
    )


def _filled(usual: dict[str, Any], value: Any) -> Any:
    return {**usual, **value} if isinstance(value, dict) else value
