"""What a matmul holds in the place of weights: as JSON, and against the layers it comes from."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tlm.workload.file import defaults
from tlm.workload.file.defaults import without_defaults
from tlm.workload.file.fault import REMEDY, fault
from tlm.workload.file.operand_check import check_read
from tlm.workload.file.operand_json import operand_to_json
from tlm.workload.held import Held
from tlm.workload.model import NETWORK_INPUT, Layer, Shape3


def held_to_json(held: Held) -> dict[str, Any]:
    """A JSON object without what is as usual."""
    operand = None if held.operand is None else operand_to_json(held.operand)
    return without_defaults({**asdict(held), "operand": operand}, defaults.HELD)


def product_input(path: Path, layer: Layer, read: Shape3) -> Shape3:
    """Shape of the product's input where (C, H, W) is ``read``: turned round, of some matmuls.

    Raises WorkloadError if its groups do not divide C.
    """
    if not layer.turned:
        return read
    channels, height, width = read
    if channels % layer.groups:
        key = f"layers[{layer.index}].groups"
        raise fault(path, key, f"a divisor of {channels}", layer.groups, REMEDY)
    return (layer.groups * height * width, channels // layer.groups, 1)


def check_held(path: Path, layer: Layer, layers: tuple[Layer, ...]) -> None:
    """Hold what a matmul holds, and the matmul itself, against what layers leave.

    Raises WorkloadError naming the first field that does not fit.
    """
    key, held = f"layers[{layer.index}]", layer.held
    if (held is None) == (layer.kind == "matmul"):
        raise fault(path, f"{key}.held", "of a matmul, and of no other kind", layer.kind, REMEDY)
    if held is None:
        return
    if NETWORK_INPUT in layer.reads:
        expected = "layers for both operands of a matmul"
        raise fault(path, f"{key}.sources", expected, "the network's input", REMEDY)
    if layer != _as_matmul(layer):
        expected = "kernel, stride and dilation (1, 1), no padding and no bias of a matmul"
        raise fault(path, key, expected, layer.name, REMEDY)
    channels, height, width = check_read(path, f"{key}.held", held, layer.index, layers)
    if channels % layer.groups:
        raise fault(path, f"{key}.groups", f"a divisor of {channels}", layer.groups, REMEDY)
    there = (channels, height * width * layer.groups)
    outputs, inputs = there[::-1] if held.transposed else there
    if (outputs, inputs) != (layer.product_channels, layer.in_shape[0]):
        expected = f"{layer.product_channels} outputs, {layer.in_shape[0]} inputs of all groups"
        raise fault(path, f"{key}.held", expected, f"{outputs}, {inputs}", REMEDY)


def _as_matmul(layer: Layer) -> Layer:
    """The layer with every field of a window as a matmul has it."""
    plain = replace(layer, kernel=(1, 1), stride=(1, 1), padding=(0, 0), dilation=(1, 1))
    return replace(plain, bias=False)
