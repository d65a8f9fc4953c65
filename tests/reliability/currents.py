"""What lies between products and neurons, drawn at random into a chain of layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod

from hypothesis import strategies as st

from tlm.workload.input_kind import kind_of
from tlm.workload.model import InputKind, Layer, Pool, Shortcut
from tlm.workload.readers import adds_output
from tlm.workload.surrogate import lif_neuron

POOLS = (
    None,
    Pool.square("average", 2, 2),
    Pool.square("average", 3, 2, 1),
    Pool.square("max", 2, 1),
    Pool.square("sum", 1, 2),
)
MOST_SHORTCUTS = 4
ONCE = st.booleans()


@st.composite
def with_currents(draw: st.DrawFn, layers: list[Layer], network_input: InputKind) -> list[Layer]:
    """The layers, of which some have no neurons now, or add others; heads beside the last one,
    and neurons without weights.
    """
    operands = [layer.operand for layer in layers if layer.operand is not None]
    gates = {gate.source for operand in operands for term in operand.terms for gate in term.gates}
    for at in draw(st.sets(st.integers(0, len(layers) - 1), max_size=2)) - gates:
        layers[at] = replace(layers[at], neuron=None)
    for at in draw(st.sets(st.integers(0, len(layers) - 1), max_size=2)):
        layers.append(_head(len(layers), at, layers, draw(st.booleans())))
    for at in draw(st.sets(st.integers(0, len(layers) - 1), max_size=1)):
        layers.append(_identity(len(layers), layers[at], draw(st.sampled_from(POOLS)), draw(ONCE)))
        layers.append(_head(len(layers), len(layers) - 1, layers, True))
    fitting = [(layer.index, each) for layer in layers for each in _fitting(layer, layers)]
    some = st.lists(st.sampled_from(fitting), max_size=MOST_SHORTCUTS) if fitting else st.just([])
    for at, shortcut in draw(some):
        layers[at] = replace(layers[at], shortcuts=(*layers[at].shortcuts, shortcut))
    return [replace(each, input_kind=kind_of(each, layers, network_input)) for each in layers]


def _fitting(layer: Layer, layers: list[Layer]) -> Iterator[Shortcut]:
    """The shortcuts that a layer could have, as far as the chip runs them."""
    for source in layers[: layer.index]:
        for pool in POOLS:
            for shortcut in (
                Shortcut(source.index, "spikes", pool),
                Shortcut(source.index, "current", pool),
            ):
                if shortcut.of == "spikes" and source.neuron is None:
                    continue
                if shortcut.of == "current" and pool is not None and pool.kind == "max":
                    continue
                output = adds_output(shortcut, layers)
                shape = source.pooled_shape if output else source.out_shape
                if layer.product_shape == (shape if pool is None else pool.pooled(shape)):
                    yield shortcut


def _identity(index: int, source: Layer, pool: Pool | None, spiking: bool) -> Layer:
    """Neurons, or none, that read another layer alone."""
    values = source.neuron is None
    if pool is not None and (not pool.fits(source.pooled_shape) or (values and pool.kind == "max")):
        pool = None
    shape = source.pooled_shape if pool is None else pool.pooled(source.pooled_shape)
    return Layer(
        index, f"identity{index}", "identity", shape, shape, (1, 1), (1, 1), (0, 0),
        (source.index,), pool, "binary", False, None, None,
        lif_neuron() if spiking else None, None,
    )  # fmt: skip


def _head(index: int, source: int, layers: list[Layer], spiking: bool) -> Layer:
    """A linear layer of three outputs that reads another."""
    inputs = prod(layers[source].pooled_shape)
    neuron = next((layer.neuron for layer in layers if layer.neuron is not None), None)
    return Layer(
        index, f"head{index}", "linear", (inputs, 1, 1), (3, 1, 1), (1, 1), (1, 1), (0, 0),
        (source,), None, "binary", True, None, None, neuron if spiking else None, None,
    )  # fmt: skip
