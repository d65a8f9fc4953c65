"""Hypothesis strategies for small random jobs: any graph the file format allows, masks drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from tests.pools import pools_on
from tests.reliability.currents import with_currents
from tests.reliability.matmuls import with_attention
from tests.reliability.neurons import with_neurons
from tests.reliability.operands import with_operands
from tlm.errors import WorkloadError
from tlm.workload.file.graph import check_layers
from tlm.workload.input_kind import CODED, input_kind
from tlm.workload.model import (
    NETWORK_INPUT,
    Encoding,
    InputKind,
    Layer,
    Norm,
    Recording,
    Shape3,
    Workload,
)
from tlm.workload.readers import has_dY
from tlm.workload.surrogate import lif_neuron
from tlm.workload.values import Values

# Every m of the second is set, so that none goes through DRAM.
NEURONS = (lif_neuron(), lif_neuron(surrogate="arctangent"))
MOST_WEIGHTS = 4000  # of a layer: more only take longer
ENCODINGS: tuple[Encoding, ...] = ("direct", "rate", "events", "counts", "frames")
PLAIN = st.builds(Norm, st.just("batch"), st.just(1e-5), st.booleans())
# With a scale and a shift or without, with some of each step, with a number a step.
NORMS = PLAIN | st.builds(Norm, st.just("batch"), st.just(1e-5), *[st.booleans()] * 5)
DENSITIES = st.sampled_from((0.0, 0.02, 0.1, 0.3, 0.7, 1.0))


@dataclass(frozen=True)
class Draw:
    """How the masks of a job are drawn: a seed, and the share of ones of each tensor class."""

    seed: int
    inputs: float
    spikes: float
    masks: float
    gradients: float
    live: float


@dataclass(frozen=True)
class RandomTensors:
    """Random masks in place of a file's."""

    draw: Draw
    activity: str = "recorded"
    seed: None = None

    def recording(self, workload: Workload, position: int) -> Recording:
        """The masks; gradients lie where the neurons' slope lets them."""
        draw, random = self.draw, np.random.default_rng(self.draw.seed)

        def mask(shape: Sequence[int], density: float) -> np.ndarray:
            return random.random(shape) < density

        spikes, masks, gradients, outputs = [], [], [], []
        for layer in workload.layers:
            shape, whole = workload.neuron_shape(layer), layer.neuron is None
            live = mask((*shape[:2], 1, 1, 1), draw.live)
            spikes.append(mask(shape, 1.0 if whole else draw.spikes))
            bounded = layer.spiking and layer.neuron.compact
            masks.append(mask(shape, draw.masks if bounded else 1.0))
            gradients.append(mask(shape, draw.gradients) & live & masks[-1])
            product = mask(workload.product_shape(layer), draw.gradients)
            product &= gradients[-1].any(axis=(2, 3, 4), keepdims=True)
            outputs.append(product if has_dY(layer, workload.layers) else gradients[-1])
        inputs = mask(workload.input_shape, draw.inputs)
        pairs = workload.steps, workload.batch
        kept = {
            layer.index: mask((*pairs, *layer.in_shape), 1 - layer.dropout)
            for layer in workload.layers
            if layer.dropout
        }
        return Recording(0, inputs, *map(tuple, (spikes, masks, gradients, outputs)), kept=kept)

    def values(self, workload: Workload, position: int) -> Values:
        """There are none."""
        raise WorkloadError(f"{workload.name}: random masks have no values")


@st.composite
def jobs(draw: st.DrawFn) -> Workload:
    """A job of few layers: convolutions, linear, pools, norms, residuals, forks, parts, matmuls."""
    encoding = draw(st.sampled_from(ENCODINGS))
    coded = CODED[encoding]
    layers: list[Layer] = []
    side = draw(st.integers(1, 9))
    first: Shape3 = (draw(st.sampled_from((1, 2, 3, 8, 17))), side, draw(st.integers(1, 9)))
    norm = draw(st.none() | NORMS)
    open_ends: tuple[int, ...] = (NETWORK_INPUT,)
    for _ in range(draw(st.integers(1, 4))):
        layer = draw(_layer(layers, open_ends, first, norm, coded))
        layers.append(layer)
        if draw(st.integers(0, 4)) == 0:  # a second branch, which the next layer adds to this one
            layers.append(_renamed(layer, len(layers)))
            open_ends = (layer.index, layer.index + 1)
        else:
            open_ends = (layer.index,)
    if len(open_ends) > 1:
        layers.append(draw(_layer(layers, open_ends, first, None, coded)))
    if draw(st.booleans()):
        layers[-1] = replace(layers[-1], neuron=None, bias=True)
    if draw(st.integers(0, 2)) == 0:
        layers = draw(with_operands(layers, coded))
    if draw(st.integers(0, 3)) == 0:
        layers = draw(with_attention(layers, coded))
    if draw(st.booleans()):
        layers = draw(with_currents(layers, coded))
    inner = [
        layer.index for layer in layers if layer.weighted and NETWORK_INPUT not in layer.sources
    ]
    for at in draw(st.sets(st.sampled_from(inner), max_size=2)) if inner else ():
        layers[at] = replace(layers[at], dropout=0.4)
    if draw(st.integers(0, 2)) == 0:
        layers = draw(with_neurons(layers))
    check_layers(Path("random"), tuple(layers))
    drawn = draw(st.builds(Draw, st.integers(0, 999), *[DENSITIES] * 5))
    return Workload(
        Path("random"), "random", tuple(layers), draw(st.integers(1, 4)), draw(st.integers(1, 5)),
        "random", "none", 0.0, draw(st.sampled_from(("adam", "sgd"))), encoding, (0,), ("bits",),
        {}, "0" * 64, tensors=RandomTensors(drawn),
    )  # fmt: skip


@st.composite
def _layer(
    draw: st.DrawFn, layers: list[Layer], ends: tuple[int, ...], first: Shape3, norm: Norm | None,
    coded: InputKind,
) -> Layer:  # fmt: skip
    """A layer that reads ``ends``, and what of earlier layers has the same shape, at times."""
    source = layers[ends[0]].pooled_shape if layers else first
    like = [one.index for one in layers if one.pooled_shape == source]
    more = draw(st.lists(st.sampled_from(like), max_size=2)) if like else []
    sources = tuple(sorted((*ends, *more)))
    pool = None if not layers else draw(st.none() | pools_on(source))
    shape = source if pool is None else pool.pooled(source)
    linear = draw(st.integers(0, 3)) == 0
    pools = [*(layers[one].pool for one in sources if layers), pool]
    kind = input_kind(sources, pools, coded)
    plain = Layer(
        len(layers), f"layer{len(layers)}", "linear", (prod(shape), 1, 1), (1, 1, 1), (1, 1),
        (1, 1), (0, 0), sources, pool, kind, draw(st.booleans()),
        norm if draw(st.booleans()) else None, None, draw(st.sampled_from(NEURONS)), None,
    )  # fmt: skip
    if linear:
        return replace(plain, out_shape=(_width(draw, plain), 1, 1))
    return draw(_convolution(replace(plain, kind="conv", in_shape=shape)))


@st.composite
def _convolution(draw: st.DrawFn, layer: Layer) -> Layer:
    """Kernel, stride, padding, dilation, groups and pools; half of them keep the image's size."""
    channels, *sides = layer.in_shape
    if draw(st.booleans()):
        size = draw(st.sampled_from((1, 3)))
        kernel, stride, padding = (size, size), (1, 1), (size // 2, size // 2)
    else:
        padding = tuple(draw(st.integers(0, 1)) for _ in sides)
        reach = [side + 2 * pad for side, pad in zip(sides, padding, strict=True)]
        kernel = tuple(draw(st.integers(1, min(4, most))) for most in reach)
        stride = tuple(draw(st.integers(1, 3)) for _ in sides)
        dilation = tuple(
            draw(st.integers(1, min(3, max(1, (most - 1) // max(1, size - 1)))))
            for most, size in zip(reach, kernel, strict=True)
        )
        layer = replace(layer, dilation=dilation)
    layer = replace(layer, kernel=kernel, stride=stride, padding=padding)
    layer = replace(layer, out_shape=(_width(draw, layer), 1, 1))
    divides = [n for n in (1, 2, 3, channels) if not (channels % n or layer.out_shape[0] % n)]
    layer = replace(
        layer, groups=draw(st.sampled_from((1, *divides))), out_shape=layer.product_shape
    )
    current = draw(st.none() | st.none() | pools_on(layer.product_shape))
    if current is not None:
        layer = replace(layer, current_pool=current, out_shape=current.pooled(layer.out_shape))
    return replace(layer, pool=draw(st.none() | pools_on(layer.out_shape)))


def _width(draw: st.DrawFn, layer: Layer) -> int:
    """Output channels, of which there are not too many weights."""
    most = max(1, MOST_WEIGHTS // (layer.in_shape[0] * prod(layer.kernel)))
    return min(most, draw(st.sampled_from((1, 2, 3, 8, 16, 20, 33, 48))))


def _renamed(layer: Layer, index: int) -> Layer:
    return replace(layer, index=index, name=f"layer{index}")
