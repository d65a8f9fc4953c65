"""The layer graph as JSON: written in one fixed form, read back field by field.

``Reader`` refuses the first value that is not what the format page says, naming its place.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from math import prod
from pathlib import Path
from typing import Any

from tlm.files import parse_json
from tlm.workload.file import defaults, schema
from tlm.workload.file.defaults import with_defaults, without_defaults
from tlm.workload.file.fault import REMEDY, UNMODELLED, fault
from tlm.workload.file.glm_json import GLM, glm_from_json, glm_to_json
from tlm.workload.file.held import check_held, held_to_json, product_input
from tlm.workload.file.json_reader import JsonReader
from tlm.workload.file.neuron_json import check_channels, neuron_from_json, neuron_to_json
from tlm.workload.file.operand_check import check_read
from tlm.workload.file.operand_json import operand_from_json, operand_to_json
from tlm.workload.file.pool_json import pool_from_json, pool_to_json
from tlm.workload.file.shortcuts import check_shortcuts, rows_of
from tlm.workload.glm.neuron import GLMNeuron
from tlm.workload.held import Held
from tlm.workload.loops import loops
from tlm.workload.model import (
    NETWORK_INPUT,
    Layer,
    Neuron,
    Norm,
    Pool,
    Shape3,
    Shortcut,
    input_frame,
)
from tlm.workload.operand import Operand
from tlm.workload.readers import heads

_LAYER_KEYS = tuple(name for name in Layer.__dataclass_fields__ if name != "addend")  # never stored
_POOLS = ("input_pool", "current_pool", "pool")
_HELD_KEYS = tuple(Held.__dataclass_fields__)
_NORM_KEYS = tuple(Norm.__dataclass_fields__)
_SHORTCUT_KEYS = tuple(Shortcut.__dataclass_fields__)


def layers_to_json(layers: tuple[Layer, ...]) -> str:
    """Layers as compact JSON with sorted keys.

    What :mod:`tlm.workload.file.defaults` lists is written where it differs.
    """
    rows = []
    for layer in layers:
        row = {key: getattr(layer, key) for key in _LAYER_KEYS}
        row["operand"] = None if layer.operand is None else operand_to_json(layer.operand)
        row["shortcuts"] = _shortcut_rows(layer)
        row["dilation"] = list(layer.dilation)
        row |= {name: pool_to_json(getattr(layer, name)) for name in _POOLS}
        row["held"] = None if layer.held is None else held_to_json(layer.held)
        row = without_defaults(row, defaults.LAYER)
        rows.append(row)
        if layer.norm is not None:
            row["norm"] = without_defaults(asdict(layer.norm), defaults.NORM)
        if isinstance(layer.neuron, GLMNeuron):
            row["neuron"] = glm_to_json(layer.neuron)
        elif layer.neuron is not None:
            row["neuron"] = neuron_to_json(layer.neuron)
    return json.dumps(rows, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _shortcut_rows(layer: Layer) -> list[dict[str, Any]]:
    rows = [{**asdict(each), "pool": pool_to_json(each.pool)} for each in layer.shortcuts]
    return [without_defaults(row, defaults.SHORTCUT) for row in rows]


def layers_from_json(path: Path, text: str) -> tuple[Layer, ...]:
    """Parse and check the ``layers`` attribute of file ``path``.

    Raises WorkloadError naming the layer and field at the first value that does not fit.
    """
    try:
        rows = parse_json(text)
    except ValueError as error:
        raise fault(path, "layers", "JSON", str(error), REMEDY) from error
    return layers_from_rows(path, rows)


def layers_from_rows(path: Path, rows: object) -> tuple[Layer, ...]:
    """Layers from parsed JSON, checked as ``layers_from_json`` does."""
    if not isinstance(rows, list) or not 1 <= len(rows) <= schema.MAX_LAYERS:
        raise fault(path, "layers", f"a list of 1..{schema.MAX_LAYERS} layers", rows, REMEDY)
    reader = Reader(path)
    layers = tuple(reader.layer(index, row) for index, row in enumerate(rows))
    check_layers(path, layers)
    return layers


def check_layers(path: Path, layers: tuple[Layer, ...]) -> None:
    """Hold the shapes and places of all layers against each other.

    Raises WorkloadError naming the layer and field at the first that does not fit.
    """
    names: set[str] = set()
    for layer in layers:
        if layer.name in names:
            key = f"layers[{layer.index}].name"
            raise fault(path, key, "a name of its own for every layer", layer.name, REMEDY)
        names.add(layer.name)
    for layer in layers:
        _check_input(path, layer, layers)
        _check_output(path, layer)
        check_held(path, layer, layers)
        _check_dropout(path, layer)
        check_shortcuts(path, layer, layers)
        _check_membrane(path, layer, layers)
        check_channels(path, layer)
    if all(NETWORK_INPUT not in layer.sources for layer in layers):
        raise fault(path, "layers", "a layer that reads the network's input", "none", REMEDY)
    for at in (at for loop in loops(layers) for at in loop):
        if (norm := layers[at].norm) is not None and not norm.per_step:
            expected = "true in a loop of layers, where later steps are not known yet"
            raise fault(path, f"layers[{at}].norm.per_step", expected, "false", REMEDY)


class Reader(JsonReader):
    """Turns parsed JSON into layers; every method refuses what is not expected."""

    def layer(self, index: int, value: Any) -> Layer:
        """One layer at position ``index`` of the list."""
        key = f"layers[{index}]"
        row = self.record(key, with_defaults(value, defaults.LAYER), _LAYER_KEYS)
        operand = operand_from_json(self, self.pool, f"{key}.operand", row["operand"])
        return Layer(
            index=self.integer(f"{key}.index", row["index"], index, index),
            name=self.text(f"{key}.name", row["name"]),
            kind=self.choice(f"{key}.kind", row["kind"], schema.KINDS, UNMODELLED),
            in_shape=self.integers(f"{key}.in_shape", row["in_shape"], 3, 1),
            out_shape=self.integers(f"{key}.out_shape", row["out_shape"], 3, 1),
            kernel=self.integers(f"{key}.kernel", row["kernel"], 2, 1),
            stride=self.integers(f"{key}.stride", row["stride"], 2, 1),
            padding=self.integers(f"{key}.padding", row["padding"], 2, 0),
            sources=self.sources(f"{key}.sources", row["sources"], index, operand),
            input_pool=self.pool(f"{key}.input_pool", row["input_pool"]),
            input_kind=self.choice(
                f"{key}.input_kind", row["input_kind"], schema.INPUT_KINDS, REMEDY
            ),
            bias=self.boolean(f"{key}.bias", row["bias"]),
            norm=self.norm(f"{key}.norm", row["norm"]),
            current_pool=self.pool(f"{key}.current_pool", row["current_pool"]),
            neuron=self.neuron(f"{key}.neuron", row["neuron"]),
            pool=self.pool(f"{key}.pool", row["pool"]),
            groups=self.integer(f"{key}.groups", row["groups"], 1, schema.MAX_DIMENSION),
            operand=operand,
            shortcuts=self.shortcuts(f"{key}.shortcuts", row["shortcuts"], index),
            dilation=self.integers(f"{key}.dilation", row["dilation"], 2, 1),
            dropout=self.share(f"{key}.dropout", row["dropout"]),
            held=self.held(f"{key}.held", row["held"], index),
        )

    def held(self, key: str, value: Any, index: int) -> Held | None:
        """What layer ``index`` holds in the place of weights, or null."""
        if value is None:
            return None
        row = self.record(key, with_defaults(value, defaults.HELD), _HELD_KEYS)
        operand = operand_from_json(self, self.pool, f"{key}.operand", row["operand"])
        return Held(
            sources=self.sources(f"{key}.sources", row["sources"], index, operand),
            operand=operand,
            transposed=self.boolean(f"{key}.transposed", row["transposed"]),
            input_transposed=self.boolean(f"{key}.input_transposed", row["input_transposed"]),
            scale=self.number(f"{key}.scale", row["scale"]),
        )

    def shortcuts(self, key: str, value: Any, index: int) -> tuple[Shortcut, ...]:
        """What earlier layers add to a current."""
        return tuple(
            self.shortcut(f"{key}[{at}]", row, index)
            for at, row in enumerate(rows_of(self.path, key, value))
        )

    def shortcut(self, key: str, value: Any, index: int) -> Shortcut:
        """One earlier layer that is added to the current of layer ``index``."""
        row = self.record(key, with_defaults(value, defaults.SHORTCUT), _SHORTCUT_KEYS)
        return Shortcut(
            layer=self.integer(f"{key}.layer", row["layer"], 0, index - 1),
            of=self.choice(f"{key}.of", row["of"], ("spikes", "current"), REMEDY),
            pool=self.pool(f"{key}.pool", row["pool"]),
        )

    def sources(self, key: str, value: Any, index: int, operand: Operand | None) -> tuple[int, ...]:
        """Rising indices of earlier layers, or [-1]; an index stands twice if it is added twice.

        Those of an operand are as its terms say.
        """
        if operand is not None:
            if value != list(operand.sources):
                raise fault(self.path, key, f"{list(operand.sources)}, by operand", value, REMEDY)
            return operand.sources
        if value == [NETWORK_INPUT]:
            return (NETWORK_INPUT,)
        if index == 0 or not isinstance(value, list) or not 1 <= len(value) <= schema.MAX_SOURCES:
            expected = "[-1] (the network's input)" if index == 0 else "[-1] or earlier layers"
            raise fault(self.path, key, expected, value, REMEDY)
        if any(type(source) is not int or not 0 <= source < index for source in value):
            raise fault(self.path, key, f"layers in 0..{index - 1}", value, REMEDY)
        if sorted(value) != value:
            raise fault(self.path, key, "layers in rising order", value, REMEDY)
        return tuple(value)

    def norm(self, key: str, value: Any) -> Norm | None:
        """Batch normalisation, or null for none."""
        if value is None:
            return None
        row = self.record(key, with_defaults(value, defaults.NORM), _NORM_KEYS)
        return Norm(
            kind=self.choice(f"{key}.kind", row["kind"], ("batch",), UNMODELLED),
            epsilon=self.number(f"{key}.epsilon", row["epsilon"], 0),
            per_step=self.boolean(f"{key}.per_step", row["per_step"]),
            scaled=self.boolean(f"{key}.scaled", row["scaled"]),
            shifted=self.boolean(f"{key}.shifted", row["shifted"]),
            by_step=self.boolean(f"{key}.by_step", row["by_step"]),
            step_scaled=self.boolean(f"{key}.step_scaled", row["step_scaled"]),
        )

    def pool(self, key: str, value: Any) -> Pool | None:
        """Pooling, or null for none."""
        return pool_from_json(self, key, value)

    def neuron(self, key: str, value: Any) -> Neuron | GLMNeuron | None:
        """Neuron and surrogate parameters, or null for a read-out."""
        if value is None:
            return None
        if isinstance(value, dict) and value.get("kind") == GLM:
            return glm_from_json(self, key, value)
        return neuron_from_json(self, key, value)


def _check_dropout(path: Path, layer: Layer) -> None:
    """A dropout lies between layers, in front of a product with weights."""
    if layer.dropout and (NETWORK_INPUT in layer.sources or not layer.weighted):
        expected = "0 of a layer that reads the network's input, or has no weights"
        raise fault(path, f"layers[{layer.index}].dropout", expected, layer.dropout, REMEDY)


def _check_membrane(path: Path, layer: Layer, layers: tuple[Layer, ...]) -> None:
    """A membrane potential leaves a layer for the loss alone."""
    if layer.membrane_output and (layer.pool or layer.index not in heads(layers)):
        expected = "spikes of a layer that is pooled or read by another"
        raise fault(path, f"layers[{layer.index}].neuron.output", expected, "membrane", REMEDY)


def _check_input(path: Path, layer: Layer, layers: tuple[Layer, ...]) -> None:
    """Hold a layer's input against what its sources leave."""
    key = f"layers[{layer.index}]"
    if layer.operand is None and layer.sources == (NETWORK_INPUT,):
        if layer.in_shape != (frame := input_frame(layers)):
            expected = f"{frame}, the network's input as the first layer reads it"
            raise fault(path, f"{key}.in_shape", expected, layer.in_shape, REMEDY)
        if layer.input_pool is not None:
            raise fault(path, f"{key}.input_pool", "null on the network's input", "a pool", REMEDY)
        return
    read = check_read(path, key, layer, layer.index, layers)
    shape = _pooled(path, f"{key}.input_pool", layer.input_pool, read)
    flat = (prod(shape), 1, 1)
    fitting = {"linear": (flat,), "identity": (shape, flat)}.get(
        layer.kind, (product_input(path, layer, shape),)
    )
    if layer.in_shape not in fitting:
        expected = f"{fitting[0]}, what layer {layer.sources[0]} leaves"
        raise fault(path, f"{key}.in_shape", expected, layer.in_shape, REMEDY)


def _check_output(path: Path, layer: Layer) -> None:
    """Hold a layer's output against its input, kernel, stride and padding."""
    key = f"layers[{layer.index}]"
    if min(layer.product_shape) < 1:
        height, width = (
            size + 2 * pad for size, pad in zip(layer.in_shape[1:], layer.padding, strict=True)
        )
        expected = f"at most {height} x {width}, in_shape with its padding"
        raise fault(path, f"{key}.kernel", expected, layer.extent, REMEDY)
    shape = _pooled(path, f"{key}.current_pool", layer.current_pool, layer.product_shape)
    if layer.out_shape[1:] != shape[1:]:
        expected = f"(K, {shape[1]}, {shape[2]}) by in_shape, kernel, stride, padding and dilation"
        raise fault(path, f"{key}.out_shape", expected, layer.out_shape, REMEDY)
    _pooled(path, f"{key}.pool", layer.pool, layer.out_shape)
    if layer.in_shape[0] % layer.groups or layer.out_shape[0] % layer.groups:
        expected = f"a divisor of {layer.in_shape[0]} inputs and {layer.out_shape[0]} outputs"
        raise fault(path, f"{key}.groups", expected, layer.groups, REMEDY)
    if isinstance(layer.neuron, GLMNeuron) and (layer.kind != "linear" or layer.norm is not None):
        expected = "GLM neurons behind a linear layer without a norm"
        raise fault(path, f"{key}.neuron", expected, f"{layer.kind}, norm {layer.norm}", REMEDY)
    if layer.kind == "linear" and layer != _as_linear(layer):
        expected = (
            "in_shape (C, 1, 1), kernel (1, 1), stride (1, 1), no padding, dilation, pool or groups"
        )
        raise fault(path, key, expected, layer.name, REMEDY)
    if layer.kind == "identity" and layer != _as_identity(layer):
        expected = (
            "kernel, stride, dilation (1, 1), in_shape's channels, no padding, bias or groups"
        )
        raise fault(path, key, expected, layer.name, REMEDY)


def _pooled(path: Path, key: str, pool: Pool | None, shape: Shape3) -> Shape3:
    """Shape after a pool; refused if no window fits."""
    if pool is None:
        return shape
    if not pool.fits(shape):
        raise fault(path, f"{key}.size", f"a window inside {shape[1:]} neurons", pool.size, REMEDY)
    return pool.pooled(shape)


def _as_linear(layer: Layer) -> Layer:
    """The layer with every window field as a linear layer has it."""
    flat = (layer.in_shape[0], 1, 1)
    plain = replace(layer, in_shape=flat, kernel=(1, 1), stride=(1, 1), padding=(0, 0))
    return replace(plain, pool=None, current_pool=None, groups=1, dilation=(1, 1))


def _as_identity(layer: Layer) -> Layer:
    """The layer with every field of a product as an identity has it."""
    plain = replace(layer, kernel=(1, 1), stride=(1, 1), padding=(0, 0), groups=1, bias=False)
    return replace(plain, dilation=(1, 1), out_shape=(layer.in_shape[0], *layer.out_shape[1:]))
