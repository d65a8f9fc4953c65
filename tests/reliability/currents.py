"""What lies between products and neurons, drawn at random into a chain of layers."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from hypothesis import strategies as st

from tlm.workload.input_kind import kind_of
from tlm.workload.model import InputKind, Layer


@st.composite
def with_currents(draw: st.DrawFn, layers: list[Layer], network_input: InputKind) -> list[Layer]:
    """The layers, of which some now have no neurons, and heads beside the last one."""
    for at in draw(st.sets(st.integers(0, len(layers) - 1), max_size=2)):
        layers[at] = replace(layers[at], neuron=None)
    for at in draw(st.sets(st.integers(0, len(layers) - 1), max_size=2)):
        layers.append(_head(len(layers), at, layers, draw(st.booleans())))
    return [replace(each, input_kind=kind_of(each, layers, network_input)) for each in layers]


def _head(index: int, source: int, layers: list[Layer], spiking: bool) -> Layer:
    """A linear layer of three outputs that reads another."""
    inputs = prod(layers[source].pooled_shape)
    neuron = next((layer.neuron for layer in layers if layer.neuron is not None), None)
    return Layer(
        index, f"head{index}", "linear", (inputs, 1, 1), (3, 1, 1), (1, 1), (1, 1), (0, 0),
        (source,), None, "binary", True, None, None, neuron if spiking else None, None,
    )  # fmt: skip
