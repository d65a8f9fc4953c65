"""One way to say one thing: an identity is a layer without a product, which only adds.

What its sources leave is its current. Said as shortcuts, or where it is an operand as an addend, it
goes their way over the chip, and the arrays have nothing to do with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tlm.workload.model import Addend, Layer, Shortcut, Workload


def identities_as_shortcuts(workload: Workload) -> Workload:
    """The job with what identities read in shortcuts or addends: they have no sources then."""
    layers = tuple(_only_adding(layer, workload.layers) for layer in workload.layers)
    return replace(workload, layers=layers)


def _only_adding(layer: Layer, layers: Sequence[Layer]) -> Layer:
    if layer.kind != "identity":
        return layer
    only_adding = replace(layer, sources=(), operand=None, input_pool=None, input_kind="binary")
    if layer.operand is not None:
        addend = Addend(layer.sources, layer.operand, layer.input_pool)
        return replace(only_adding, addend=addend)
    read = tuple(
        Shortcut(
            source,
            "current" if layers[source].neuron is None else "spikes",
            layer.input_pool,
        )
        for source in layer.sources
    )
    return replace(only_adding, shortcuts=(*read, *layer.shortcuts))
