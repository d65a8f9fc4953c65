"""Attention of spikes, drawn behind a chain of layers: q, k and v, multiplied in either order."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import NamedTuple

from hypothesis import strategies as st

from tlm.workload.held import Held
from tlm.workload.input_kind import kind_of
from tlm.workload.model import InputKind, Layer, Norm, Shape3
from tlm.workload.operand import Line, Operand, Part, Term, Window
from tlm.workload.surrogate import lif_neuron

MOST_TOKENS = 36
SHARED = ("q, k, v", "q, q, v", "q, k, k", "q, q, q")  # of which layers the three come
SCALES = st.sampled_from((1.0, 0.25))


class Read(NamedTuple):
    """What is multiplied: a layer, or channels from ``first`` on of a wider one."""

    layer: Layer
    channels: int
    first: int = 0

    @property
    def shape(self) -> Shape3:
        """(C, H, W)."""
        return (self.channels, *self.layer.pooled_shape[1:])

    @property
    def operand(self) -> Operand | None:
        """How it is read; None if whole."""
        wide, height, width = self.layer.pooled_shape
        if wide == self.channels:
            return None
        end = self.first + self.channels
        lines = Line(0, height), Line(0, width)
        window = Window((wide, height, width), self.first, end, *lines)
        return Operand((Part(self.channels, (Term(self.layer.index, (window,)),)),))


@st.composite
def with_attention(draw: st.DrawFn, layers: list[Layer], network_input: InputKind) -> list[Layer]:
    """The layers, and two products of what further ones read of one of them; a head at times."""
    layers = list(layers)
    fitting = [layer for layer in layers if prod(layer.pooled_shape[1:]) <= MOST_TOKENS]
    if not fitting:
        return layers
    heads = draw(st.integers(1, 3))
    q, k, v = draw(_projections(layers, draw(st.sampled_from(fitting)), heads))
    if draw(st.booleans()):
        tokens = heads * prod(k.shape[1:])
        first = draw(_matmul(layers, q, k, heads, tokens, transposed=True))
        draw(_matmul(layers, Read(first, tokens), v, heads, v.channels))
    else:
        first = draw(_matmul(layers, k, v, heads, v.channels, input_transposed=True))
        draw(_matmul(layers, q, Read(first, v.channels), heads, v.channels))
    if draw(st.booleans()):
        inputs = prod(layers[-1].pooled_shape)
        layers.append(_plain(len(layers), layers[-1], "linear", (inputs, 1, 1), 3))
    return [replace(each, input_kind=kind_of(each, layers, network_input)) for each in layers]


@st.composite
def _projections(
    draw: st.DrawFn, layers: list[Layer], source: Layer, heads: int
) -> tuple[Read, Read, Read]:
    """q, k and v, each of a layer of its own, some alike, or all parts of one layer."""
    depth, values = (heads * draw(st.sampled_from((1, 2, 5, 12))) for _ in range(2))
    if draw(st.integers(0, 3)) == 0:
        one = draw(_projection(layers, source, 3 * depth))
        q, k, v = (Read(one, depth, number * depth) for number in range(3))
        return q, k, v
    names = draw(st.sampled_from(SHARED)).split(", ")
    widths = dict(zip(names, (depth, depth, values if names[2] == "v" else depth), strict=True))
    alone = names.count("q") == 1
    read = {
        name: Read(draw(_projection(layers, source, wide, strided=name == "q" and alone)), wide)
        for name, wide in widths.items()
    }
    q, k, v = (read[name] for name in names)
    return q, k, v


@st.composite
def _projection(
    draw: st.DrawFn, layers: list[Layer], source: Layer, channels: int, strided: bool = False
) -> Layer:
    """A convolution of all rows and columns, or of every other, appended to the layers."""
    size, stride = draw(st.sampled_from((1, 3))), 1 + (strided and draw(st.booleans()))
    layer = _plain(len(layers), source, "conv", source.pooled_shape, channels)
    layer = replace(
        layer, kernel=(size, size), padding=(size // 2, size // 2), stride=(stride, stride),
        norm=draw(st.none() | st.just(Norm("batch", 1e-5, per_step=False))),
        neuron=draw(st.sampled_from((lif_neuron(), lif_neuron(), None))),
    )  # fmt: skip
    layers.append(replace(layer, out_shape=layer.product_shape))
    return layers[-1]


@st.composite
def _matmul(
    draw: st.DrawFn, layers: list[Layer], read: Read, held: Read, heads: int, outputs: int,
    **turned: bool,
) -> Layer:  # fmt: skip
    """A product of what is read and what is held, appended to the layers."""
    shape = read.shape
    if turned.get("input_transposed"):
        shape = (heads * prod(shape[1:]), shape[0] // heads, 1)
    layer = _plain(len(layers), read.layer, "matmul", shape, outputs)
    layers.append(
        replace(
            layer, out_shape=layer.product_shape, bias=False, operand=read.operand, groups=heads,
            held=Held((held.layer.index,), held.operand, **turned, scale=draw(SCALES)),
            neuron=draw(st.sampled_from((lif_neuron(), None))),
            norm=draw(st.none() | st.just(Norm("batch", 1e-5, per_step=False))),
        )
    )  # fmt: skip
    return layers[-1]


def _plain(index: int, source: Layer, kind: str, shape: Shape3, channels: int) -> Layer:
    """A layer of kernel 1 that reads another."""
    layer = Layer(
        index, f"{kind}{index}", kind, shape, (channels, 1, 1), (1, 1), (1, 1), (0, 0),
        (source.index,), None, "binary", True, None, None, lif_neuron(), None,
    )  # fmt: skip
    return replace(layer, out_shape=layer.product_shape)
