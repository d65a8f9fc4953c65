"""Shortcuts of a layer: read from JSON, and held against the layers they come from."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from tlm.workload.file.fault import REMEDY, fault
from tlm.workload.model import Layer, Shape3
from tlm.workload.readers import adds_output


def check_shortcuts(path: Path, layer: Layer, layers: tuple[Layer, ...]) -> None:
    """Hold the shape of what is added against that of the product.

    Raises WorkloadError naming the first shortcut that does not fit.
    """
    for at, shortcut in enumerate(layer.shortcuts):
        key, source = f"layers[{layer.index}].shortcuts[{at}]", layers[shortcut.layer]
        if shortcut.of == "spikes" and source.neuron is None:
            expected = '"current" of a layer without neurons'
            raise fault(path, f"{key}.of", expected, shortcut.of, REMEDY)
        shape = source.pooled_shape if adds_output(shortcut, layers) else source.out_shape
        shape = shape if shortcut.pool is None else shortcut.pool.pooled(shape)
        if not _same(shape, layer.product_shape):
            expected = f"a layer that leaves {layer.product_shape}, as the product it is added to"
            raise fault(path, key, expected, shape, REMEDY)


def _same(shape: Shape3, product: Shape3) -> bool:
    """Whether both have one order of elements: flattened neurons are added to linear products."""
    return shape == product or (product[1:] == (1, 1) and prod(shape) == product[0])


def rows_of(path: Path, key: str, value: Any) -> list[Any]:
    """The list of a layer's shortcuts."""
    if not isinstance(value, list):
        raise fault(path, key, "a list of shortcuts", value, REMEDY)
    return value
