"""The layer graph as JSON: written in one fixed form, read back field by field.

``Reader`` refuses the first value that is not what the format page says, naming its place.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from math import isfinite, prod
from pathlib import Path
from typing import Any

from tlm.workload import schema
from tlm.workload.fault import fault
from tlm.workload.model import Layer, Neuron, Pool
from tlm.workload.surrogate import COMPACT

_LAYER_KEYS = (*Layer.__dataclass_fields__, "norm")
_POOL_KEYS = tuple(Pool.__dataclass_fields__)
_NEURON_KEYS = tuple(Neuron.__dataclass_fields__)
_REMEDY = "see docs/workload-format.md, or record the job again"
_UNMODELLED = "it is not modelled yet: record the job without it"


def layers_to_json(layers: tuple[Layer, ...]) -> str:
    """Layers as compact JSON with sorted keys; ``norm`` is "none" in this version."""
    rows = [{**asdict(layer), "norm": "none"} for layer in layers]
    return json.dumps(rows, sort_keys=True, separators=(",", ":"))


def layers_from_json(path: Path, text: str) -> tuple[Layer, ...]:
    """Parse and check the ``layers`` attribute of file ``path``.

    Raises WorkloadError naming the layer and field at the first value that does not fit.
    """
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise fault(path, "layers", "JSON", str(error), _REMEDY) from error
    if not isinstance(rows, list) or not 1 <= len(rows) <= schema.MAX_LAYERS:
        raise fault(path, "layers", f"a list of 1..{schema.MAX_LAYERS} layers", rows, _REMEDY)
    reader = Reader(path)
    layers = tuple(reader.layer(index, row) for index, row in enumerate(rows))
    for layer in layers:
        _check_shapes(path, layer, layers[layer.index - 1] if layer.index else None)
    return layers


class Reader:
    """Turns parsed JSON into dataclasses; every method refuses what is not expected."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def layer(self, index: int, value: Any) -> Layer:
        """One layer at position ``index`` of the list."""
        key = f"layers[{index}]"
        row = self.record(key, value, _LAYER_KEYS)
        self.choice(f"{key}.norm", row["norm"], ("none",), _UNMODELLED)
        if row["sources"] != [index - 1]:
            expected = f"[{index - 1}] (the layer before; no branches, no residuals)"
            raise fault(self.path, f"{key}.sources", expected, row["sources"], _UNMODELLED)
        return Layer(
            index=self.integer(f"{key}.index", row["index"], index, index),
            name=self.text(f"{key}.name", row["name"]),
            kind=self.choice(f"{key}.kind", row["kind"], ("conv", "linear"), _UNMODELLED),
            in_shape=self.integers(f"{key}.in_shape", row["in_shape"], 3, 1),
            out_shape=self.integers(f"{key}.out_shape", row["out_shape"], 3, 1),
            kernel=self.integers(f"{key}.kernel", row["kernel"], 2, 1),
            stride=self.integers(f"{key}.stride", row["stride"], 2, 1),
            padding=self.integers(f"{key}.padding", row["padding"], 2, 0),
            pool=self.pool(f"{key}.pool", row["pool"]),
            neuron=self.neuron(f"{key}.neuron", row["neuron"]),
            sources=(index - 1,),
            input_kind=self.choice(
                f"{key}.input_kind", row["input_kind"], schema.INPUT_KINDS, _REMEDY
            ),
            bias=self.boolean(f"{key}.bias", row["bias"]),
        )

    def pool(self, key: str, value: Any) -> Pool | None:
        """Max-pooling, or null for none."""
        if value is None:
            return None
        row = self.record(key, value, _POOL_KEYS)
        size = self.integer(f"{key}.size", row["size"], 1, schema.MAX_DIMENSION)
        return Pool(
            kind=self.choice(f"{key}.kind", row["kind"], ("max",), _UNMODELLED),
            size=size,
            stride=self.integer(f"{key}.stride", row["stride"], 1, schema.MAX_DIMENSION),
        )

    def neuron(self, key: str, value: Any) -> Neuron:
        """Neuron and surrogate parameters."""
        row = self.record(key, value, _NEURON_KEYS)
        surrogate = self.text(f"{key}.surrogate", row["surrogate"])
        compact = self.boolean(f"{key}.compact", row["compact"])
        if COMPACT.get(surrogate, compact) != compact:
            expected = f"{COMPACT[surrogate]} for a {surrogate} surrogate"
            raise fault(self.path, f"{key}.compact", expected, compact, _REMEDY)
        return Neuron(
            decay=self.number(f"{key}.decay", row["decay"], 0),
            gain=self.number(f"{key}.gain", row["gain"], 0),
            threshold=self.number(f"{key}.threshold", row["threshold"], 0),
            reset=self.choice(f"{key}.reset", row["reset"], schema.RESETS, _REMEDY),
            detach_reset=self.boolean(f"{key}.detach_reset", row["detach_reset"]),
            surrogate=surrogate,
            surrogate_width=self.number(f"{key}.surrogate_width", row["surrogate_width"], 0),
            compact=compact,
        )

    def record(self, key: str, value: Any, keys: tuple[str, ...]) -> dict[str, Any]:
        """An object with exactly these keys."""
        if not isinstance(value, dict):
            raise fault(self.path, key, "a JSON object", value, _REMEDY)
        unknown = sorted(set(value) - set(keys))
        if unknown:
            raise fault(self.path, key, f"no key but {', '.join(keys)}", unknown[0], _REMEDY)
        missing = sorted(set(keys) - set(value))
        if missing:
            raise fault(self.path, key, f'a key "{missing[0]}"', "none", _REMEDY)
        return value

    def integer(self, key: str, value: Any, low: int, high: int) -> int:
        """A whole number in low..high."""
        if type(value) is not int or not low <= value <= high:
            expected = f"{low}" if low == high else f"a whole number in {low}..{high}"
            raise fault(self.path, key, expected, value, _REMEDY)
        return value

    def integers(self, key: str, value: Any, count: int, low: int) -> Any:
        """A list of ``count`` whole numbers from ``low`` to the largest dimension, as a tuple."""
        if not isinstance(value, list) or len(value) != count:
            raise fault(self.path, key, f"a list of {count} whole numbers", value, _REMEDY)
        return tuple(self.integer(key, one, low, schema.MAX_DIMENSION) for one in value)

    def number(self, key: str, value: Any, low: float) -> float:
        """A finite number of at least ``low``."""
        if type(value) not in (int, float) or not isfinite(value) or value < low:
            raise fault(self.path, key, f"a finite number >= {low}", value, _REMEDY)
        return float(value)

    def text(self, key: str, value: Any) -> str:
        """A short non-empty printable text."""
        if not isinstance(value, str) or not 0 < len(value) <= 64 or not value.isprintable():
            raise fault(self.path, key, "1..64 printable characters", value, _REMEDY)
        return value

    def boolean(self, key: str, value: Any) -> bool:
        """true or false."""
        if type(value) is not bool:
            raise fault(self.path, key, "true or false", value, _REMEDY)
        return value

    def choice(self, key: str, value: Any, allowed: tuple[str, ...], remedy: str) -> Any:
        """One of the words ``allowed``."""
        if value not in allowed:
            raise fault(self.path, key, " or ".join(f'"{one}"' for one in allowed), value, remedy)
        return value


def _check_shapes(path: Path, layer: Layer, before: Layer | None) -> None:
    """Hold each shape against the one it follows from."""
    key = f"layers[{layer.index}]"
    if before is not None:
        given = before.pooled_shape
        fitting = (prod(given), 1, 1) if layer.kind == "linear" else given
        if layer.in_shape != fitting:
            wanted = f"{fitting}, what layer {before.index} leaves"
            raise fault(path, f"{key}.in_shape", wanted, layer.in_shape, _REMEDY)
    positions = _positions(layer)
    if layer.out_shape[1:] != positions:
        wanted = f"(K, {positions[0]}, {positions[1]}) by in_shape, kernel, stride and padding"
        raise fault(path, f"{key}.out_shape", wanted, layer.out_shape, _REMEDY)
    if min(layer.pooled_shape) < 1:
        wanted = f"a window inside {positions} neurons"
        raise fault(path, f"{key}.pool.size", wanted, layer.pool and layer.pool.size, _REMEDY)
    if layer.kind == "linear" and layer != _as_linear(layer):
        wanted = "in_shape (C, 1, 1), kernel (1, 1), stride (1, 1), no padding, no pool"
        raise fault(path, key, wanted, layer.name, _REMEDY)


def _as_linear(layer: Layer) -> Layer:
    """The layer with every window field as a linear layer has it."""
    flat = (layer.in_shape[0], 1, 1)
    return replace(layer, in_shape=flat, kernel=(1, 1), stride=(1, 1), padding=(0, 0), pool=None)


def _positions(layer: Layer) -> tuple[int, int]:
    """Output height and width of the layer's window."""
    height, width = (
        (size + 2 * pad - window) // step + 1
        for size, window, step, pad in zip(
            layer.in_shape[1:], layer.kernel, layer.stride, layer.padding, strict=True
        )
    )
    return height, width
