"""Random sums over channels, which tell in place of a whole product whether it is right.

A product C = A B is held against C r = A (B r) for random r (Freivalds, "Probabilistic machines
can use less running time", IFIP Congress 1977). Of a layer's products, image by image,

    FP  sum over k of r[k] Y[k]  = (sum over k of r[k] W[k]) * X + sum over k of r[k] b[k]
    BP  sum over c of r[c] dX[c] = (sum over c of r[c] W[:, c]) * dY
    WG  sum over c of r[c] dW[:, c] = the gradient of the weights that read sum over c of r[c] X[c]

where the right sides are convolutions to, or of, one channel. Each element stands in PROBES such
sums with factors of a size between 1 and 2: one that is wrong changes every sum by its error at
least, and several cancel only where the factors happen to fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from tlm.workload.golden.cache_blocks import cache_blocks
from tlm.workload.golden.product import folded, joined, read_by_taps
from tlm.workload.model import Layer
from tlm.workload.values import Numbers

PROBES = 2
"""Sums that each element stands in."""

_SEED = 20
_CLEARLY_RIGHT = 1e-5
_BLOCK_ELEMENTS = 1 << 18


def product_error(
    layer: Layer, inputs: Numbers, weights: Numbers, bias: Numbers | None, Y: Numbers
) -> float:
    """Error of ``Y`` [N, K, E, F], the product of ``inputs`` [N, C, H, W], over its largest."""
    groups = layer.groups
    factors = _factors(groups, PROBES, len(weights) // groups)
    mixed = factors @ weights.reshape(groups, len(weights) // groups, -1)
    kernels = _kernels(mixed.reshape(groups, PROBES, -1, prod(layer.kernel)).swapaxes(2, 3))
    added = 0.0 if bias is None else factors @ bias.reshape(groups, -1, 1)
    difference = 0.0
    for block in _blocks(layer, len(inputs)):
        due = _gathered(layer, kernels @ _channels(layer, inputs[block]))
        due += added
        due -= factors @ _channels(layer, Y[block])
        difference = np.maximum(difference, np.abs(due).max())
    return _relative(float(difference), Y)


def input_gradient_error(layer: Layer, dY: Numbers, weights: Numbers, dX: Numbers) -> float:
    """Error of ``dX`` [N, C, H, W] of ``dY`` [N, K, E, F], relative to its largest element."""
    groups, channels = layer.groups, weights.shape[1]
    factors = _factors(PROBES, channels)
    by_group = weights.reshape(groups, len(weights) // groups, channels, -1)
    kernels = _kernels((factors @ by_group).transpose(0, 2, 3, 1))
    difference = 0.0
    for block in _blocks(layer, len(dY)):
        due = _scattered(layer, kernels @ _channels(layer, dY[block]))
        due -= factors @ _channels(layer, dX[block])
        difference = np.maximum(difference, np.abs(due).max())
    return _relative(float(difference), dX)


def weight_gradient_error(layer: Layer, inputs: Numbers, dY: Numbers, dW: Numbers) -> float:
    """Error of ``dW`` [K, C / groups, R, S] of ``inputs`` and ``dY``, over its largest element."""
    groups, (outputs, channels) = layer.groups, dW.shape[:2]
    factors = _factors(PROBES, channels)
    mixed = factors @ dW.reshape(groups, outputs // groups, channels, -1)
    difference = -mixed.reshape(groups, outputs // groups, -1)
    for block in _blocks(layer, len(inputs)):
        windows = _windows(layer, factors @ _channels(layer, inputs[block]))
        difference += joined(_channels(layer, dY[block])) @ joined(windows).swapaxes(1, 2)
    return _relative(float(np.abs(difference).max()), dW)


def _factors(*shape: int) -> Numbers:
    """Numbers of a size between 1 and 2, of either sign, the same for the same ``shape``."""
    draw = np.random.default_rng(_SEED)
    sizes = draw.uniform(1, 2, shape).astype(np.float32)
    return np.where(draw.integers(0, 2, shape, np.int8) > 0, sizes, -sizes)


def _kernels(mixed: Numbers) -> Numbers:
    """[G, P, R S, channels] as matrices [G, P R S, channels]."""
    return np.ascontiguousarray(mixed).reshape(len(mixed), -1, mixed.shape[-1])


def _channels(layer: Layer, images: Numbers) -> Numbers:
    """[N, G, channels / G, positions]; images of one position each are positions of one image."""
    if _is_pointwise(layer) and layer.in_shape[1:] == (1, 1):
        return images.reshape(len(images), layer.groups, -1).transpose(1, 2, 0)[None]
    return images.reshape(len(images), layer.groups, images.shape[1] // layer.groups, -1)


def _gathered(layer: Layer, taps: Numbers) -> Numbers:
    """What taps [N, G, P R S, H W] of a kernel add up to at its outputs, [N, G, P, E F]."""
    if _is_pointwise(layer):
        return taps
    images, groups = taps.shape[:2]
    maps = _padded(layer, taps.reshape(images * groups, -1, *layer.in_shape[1:]))
    by_tap = maps.reshape(len(maps), PROBES, *layer.kernel, *maps.shape[2:])
    sums = np.zeros((len(maps), PROBES, *layer.product_shape[1:]), taps.dtype)
    for (r, s), read in read_by_taps(layer):
        sums += by_tap[:, :, r, s][read]
    return sums.reshape(images, groups, PROBES, -1)


def _windows(layer: Layer, sums: Numbers) -> Numbers:
    """What outputs read of images [N, G, P, H W], by tap: [N, G, P R S, E F]."""
    if _is_pointwise(layer):
        return sums
    (images, groups), plane = sums.shape[:2], layer.product_shape[1:]
    maps = _padded(layer, sums.reshape(images, -1, *layer.in_shape[1:]))
    taps = np.empty((*maps.shape[:2], *layer.kernel, *plane), sums.dtype)
    for (r, s), read in read_by_taps(layer):
        taps[:, :, r, s] = maps[read]
    return taps.reshape(images, groups, -1, prod(plane))


def _scattered(layer: Layer, taps: Numbers) -> Numbers:
    """Taps [N, G, P R S, E F] of gradients, added up where they were read, [N, G, P, H W]."""
    if _is_pointwise(layer):
        return taps
    images, groups = taps.shape[:2]
    whole = folded(layer, taps.reshape(images, -1, taps.shape[-1]))
    return whole.reshape(images, groups, PROBES, -1)


def _padded(layer: Layer, maps: Numbers) -> Numbers:
    """Planes [N, any, H, W] with the padding of the layer."""
    py, px = layer.padding
    return np.pad(maps, ((0, 0), (0, 0), (py, py), (px, px)))


def _is_pointwise(layer: Layer) -> bool:
    return layer.kernel == layer.stride == (1, 1) and layer.padding == (0, 0)


def _relative(difference: float, recorded: Numbers) -> float:
    """``difference`` over the largest of ``recorded``; infinite if these are zeros alone.

    Of a difference next to nothing it may be more: over the largest of the first image, or of the
    first channel's weights, for which most of the data need not be read once more.
    """
    if difference == 0:
        return 0.0
    largest = _largest(recorded[:1])
    if not difference <= _CLEARLY_RIGHT * largest:
        largest = _largest(recorded)
    return difference / largest if largest else float("inf")


def _largest(values: Numbers) -> float:
    return max(float(values.max()), -float(values.min()))


def _blocks(layer: Layer, images: int) -> Iterator[slice]:
    return cache_blocks(images, prod(layer.in_shape), _BLOCK_ELEMENTS)
