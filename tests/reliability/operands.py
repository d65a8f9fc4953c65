"""Layers that read random parts put together, drawn on top of a chain of layers."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from hypothesis import strategies as st

from tests.pools import pools_on
from tlm.space.feeds import operand_shape
from tlm.workload.input_kind import kind_of, leaves_spikes
from tlm.workload.model import NETWORK_INPUT, InputKind, Layer, Shape3, input_frame
from tlm.workload.operand import Gate, Line, Operand, Part, Step, Term, Window, shape_behind
from tlm.workload.surrogate import lif_neuron

Plane = tuple[int, int]


@st.composite
def with_operands(draw: st.DrawFn, layers: list[Layer], network_input: InputKind) -> list[Layer]:
    """The layers, and one or two more that read windows on any of those before."""
    layers = list(layers)
    for _ in range(draw(st.integers(1, 2))):
        plane = draw(st.integers(1, 9)), draw(st.integers(1, 7))
        parts = draw(st.lists(_parts(layers, plane), min_size=1, max_size=3))
        if not any(part.terms for part in parts):
            parts.append(draw(_parts(layers, plane, least=1)))
        layers.append(draw(_reader(layers, Operand(tuple(parts)), network_input)))
    return layers


@st.composite
def _reader(
    draw: st.DrawFn, layers: list[Layer], operand: Operand, network_input: InputKind
) -> Layer:
    """A convolution, a linear layer, or one without weights, that reads an operand."""
    neuron = next((layer.neuron for layer in layers if layer.neuron is not None), None)
    layer = Layer(
        len(layers), f"layer{len(layers)}", "linear", (1, 1, 1), (5, 1, 1), (1, 1), (1, 1), (0, 0),
        operand.sources, None, "binary", draw(st.booleans()), None, None, neuron, None,
        operand=operand,
    )  # fmt: skip
    shape = operand_shape(layer, layers)
    if NETWORK_INPUT not in operand.sources and draw(st.booleans()):
        return draw(_gathering(layers, layer, shape, network_input))
    pool = draw(st.none() | pools_on(shape))
    shape = shape if pool is None else pool.pooled(shape)
    layer = replace(layer, input_pool=pool, in_shape=(prod(shape), 1, 1))
    if draw(st.booleans()):
        size = draw(st.integers(1, 3))
        padding = tuple(max(draw(st.integers(0, 1)), -(-(size - side) // 2)) for side in shape[1:])
        stride = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
        layer = replace(
            layer, kind="conv", in_shape=shape, kernel=(size, size), stride=stride, padding=padding
        )
        layer = replace(layer, out_shape=layer.product_shape)
    return replace(layer, input_kind=kind_of(layer, layers, network_input))


@st.composite
def _gathering(
    draw: st.DrawFn, layers: list[Layer], layer: Layer, shape: Shape3, network_input: InputKind
) -> Layer:
    """The layer without weights: what it reads is its current, averaged or summed at times."""
    pool = draw(st.none() | pools_on(shape, ("average", "sum")))
    shape = shape if pool is None else pool.pooled(shape)
    layer = replace(
        layer, kind="identity", input_pool=pool, in_shape=shape, out_shape=shape, bias=False,
        neuron=draw(st.sampled_from((lif_neuron(), None))),
    )  # fmt: skip
    layer = replace(layer, pool=draw(st.none() | pools_on(shape, ("average", "sum"))))
    return replace(layer, input_kind=kind_of(layer, layers, network_input))


@st.composite
def _parts(draw: st.DrawFn, layers: list[Layer], plane: Plane, least: int = 0) -> Part:
    """Up to six channels of up to two terms, gated at times."""
    sources = st.integers(NETWORK_INPUT, len(layers) - 1)
    read = draw(st.lists(sources, min_size=least, max_size=2))
    shapes = [layers[at].pooled_shape if at >= 0 else input_frame(layers) for at in read]
    starts = [draw(_beginnings(shape, at)) for shape, at in zip(shapes, read, strict=True)]
    behind = [shape_behind(way, shape) for way, shape in zip(starts, shapes, strict=True)]
    most = min((shape[0] for shape in behind), default=6)
    channels = draw(st.integers(1, min(6, most)))
    terms = [
        Term(
            at,
            (*way, draw(_window(shape, channels, plane))),
            gates=draw(_gates(layers, channels, plane)) if at != NETWORK_INPUT else (),
        )
        for at, way, shape in zip(read, starts, behind, strict=True)
    ]
    return Part(channels, tuple(terms))


@st.composite
def _gates(draw: st.DrawFn, layers: list[Layer], channels: int, plane: Plane) -> tuple[Gate, ...]:
    """Up to two windows on spikes that are not averaged, as they are or inverted."""
    wide = [at for at, layer in enumerate(layers) if layer.pooled_shape[0] >= channels]
    spiking = [at for at in wide if leaves_spikes(Gate(at), layers)]
    sources = draw(st.lists(st.sampled_from(spiking), max_size=2)) if spiking else []
    return tuple(
        Gate(at, (draw(_window(layers[at].pooled_shape, channels, plane)),), 0, draw(st.booleans()))
        for at in sources
    )


@st.composite
def _beginnings(draw: st.DrawFn, shape: Shape3, source: int) -> tuple[Step, ...]:
    """Of the network's input a window; of layers a pool or not; flattened at times."""
    way: tuple[Step, ...] = ()
    if source == NETWORK_INPUT:
        way = (draw(_window(shape, shape[0], shape[1:])),)
    elif draw(st.booleans()):
        pool = draw(pools_on(shape))
        way, shape = (pool,), pool.pooled(shape)
    if draw(st.integers(0, 3)) == 0:
        count = prod(shape)
        flat = draw(st.sampled_from(((count, 1, 1), (1, count, 1), (shape[0], prod(shape[1:]), 1))))
        if 1 in (prod(flat[1:]), prod(shape[1:])) or flat[0] == shape[0]:
            lines = Line(0, flat[1]), Line(0, flat[2])
            way += (Window(flat, 0, flat[0], *lines),)
    return way


@st.composite
def _window(draw: st.DrawFn, shape: Shape3, channels: int, plane: Plane) -> Window:
    """Any channels of a shape, and rows and columns of it stretched or padded to a plane."""
    first = draw(st.integers(0, shape[0] - channels))
    lines = [draw(_line(size, asked)) for size, asked in zip(shape[1:], plane, strict=True)]
    return Window(shape, first, first + channels, *lines)


@st.composite
def _line(draw: st.DrawFn, size: int, asked: int) -> Line:
    """Rows of ``size``, in steps and repeated, with zeros around, to as many as asked."""
    if size == asked and draw(st.booleans()):
        return Line(0, size)
    step, repeat = draw(st.integers(1, 2)), draw(st.integers(1, min(2, asked)))
    spread = draw(st.integers(1, 3))
    start = draw(st.integers(0, size - 1))
    most = min(-(-(size - start) // step), ((asked - 1) // spread + 1) // repeat)
    taken = draw(st.integers(1, most)) if most else 0
    line = Line(start, start + (taken - 1) * step + 1, step, repeat, spread=spread)
    if not taken:
        line = Line(start, start + 1)
    before = draw(st.integers(0, asked - line.size))
    return replace(line, before=before, after=asked - line.size - before)
