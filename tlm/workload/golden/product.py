"""Convolution and linear layers in NumPy: a linear layer is a convolution of one position.

The product of an identity is its input.

Y[n, k, e, f] = sum over c, r, s of W[k, c, r, s] X[n, c, e stride + r - padding, ...]; images
[N, C, H, W] with N = T B. A few images at a time, so that their unfolded windows stay in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tlm.workload.golden.cache_blocks import cache_blocks
from tlm.workload.model import Layer
from tlm.workload.values import Numbers

_BLOCK_ELEMENTS = 1 << 18


def product(layer: Layer, inputs: Numbers, weights: Numbers) -> Numbers:
    """Y [N, K, E, F] of ``inputs`` [N, C, H, W] and ``weights`` [K, C / groups, R, S]."""
    if not layer.weighted:
        return inputs
    flat = _by_group(layer, weights)
    output = np.empty((len(inputs), *layer.product_shape), np.result_type(inputs, weights))
    for block in _blocks(layer, len(inputs)):
        sums = _split(flat @ _windows(layer, inputs[block]), len(output[block]))
        output[block] = sums.reshape(-1, *layer.product_shape)
    return output


def weight_gradient(layer: Layer, inputs: Numbers, dY: Numbers) -> Numbers:
    """dW [K, C / groups, R, S] from ``inputs`` [N, C, H, W] and ``dY`` [N, K, E, F].

    Every input window is multiplied by the gradients of the outputs that it went into.
    """
    total = np.zeros(layer.weight_shape, np.result_type(inputs, dY))
    if not layer.weighted:
        return total
    for block in _blocks(layer, len(inputs)):
        windows, rows = _windows(layer, inputs[block]), _rows(layer, dY[block])
        total += (rows @ windows.swapaxes(1, 2)).reshape(total.shape)
    return total


def input_gradient(layer: Layer, dY: Numbers, weights: Numbers) -> Numbers:
    """dX [N, C, H, W] from ``dY`` [N, K, E, F]: a window's gradient is added where it was read."""
    if not layer.weighted:
        return dY
    flat = _by_group(layer, weights).swapaxes(1, 2)
    dX = np.empty((len(dY), *layer.in_shape), np.result_type(dY, weights))
    for block in _blocks(layer, len(dY)):
        windows = _split(flat @ _rows(layer, dY[block]), len(dX[block]))
        dX[block] = folded(layer, windows)
    return dX


def _by_group(layer: Layer, weights: Numbers) -> Numbers:
    """Weights as matrices [groups, K / groups, C / groups R S]."""
    return weights.reshape(layer.groups, len(weights) // layer.groups, -1)


def _rows(layer: Layer, dY: Numbers) -> Numbers:
    """Gradients as rows [groups, K / groups, N E F]."""
    return joined(dY.reshape(len(dY), layer.groups, dY.shape[1] // layer.groups, -1))


def _windows(layer: Layer, images: Numbers) -> Numbers:
    """Windows as columns [groups, C / groups R S, N E F]."""
    (py, px), (sy, sx), (dy, dx) = layer.padding, layer.stride, layer.dilation
    padded = np.pad(images, ((0, 0), (0, 0), (py, py), (px, px))) if py or px else images
    windows = sliding_window_view(padded, layer.extent, axis=(2, 3))[:, :, ::sy, ::sx, ::dy, ::dx]
    ordered = windows.transpose(0, 1, 4, 5, 2, 3)
    positions = prod(layer.product_shape[1:])
    return joined(ordered.reshape(len(images), layer.groups, -1, positions))


def joined(matrices: Numbers) -> Numbers:
    """[N, groups, rows, positions] -> [groups, rows, N positions]; of one image without a copy."""
    _, groups, rows, _ = matrices.shape
    return matrices.transpose(1, 2, 0, 3).reshape(groups, rows, -1)


def _split(matrices: Numbers, images: int) -> Numbers:
    """The reverse of ``joined``, for N ``images``."""
    groups, rows, _ = matrices.shape
    return matrices.reshape(groups, rows, images, -1).transpose(2, 0, 1, 3)


def folded(layer: Layer, windows: Numbers) -> Numbers:
    """Images [N, C, H, W] of ``windows`` [N, C R S, E F], each element the sum of its readings."""
    (py, px), (_, height, width) = layer.padding, layer.in_shape
    taps = windows.reshape(len(windows), -1, *layer.kernel, *layer.product_shape[1:])
    padded = np.zeros((*taps.shape[:2], height + 2 * py, width + 2 * px), windows.dtype)
    for (r, s), read in read_by_taps(layer):
        padded[read] += taps[:, :, r, s]
    return padded[:, :, py : py + height, px : px + width]


def read_by_taps(layer: Layer) -> Iterator[tuple[tuple[int, int], tuple[slice, ...]]]:
    """What each tap (r, s) of the kernel reads of padded images [N, C, H, W] for all outputs."""
    (sy, sx), (dy, dx), (_, e, f) = layer.stride, layer.dilation, layer.product_shape
    for r, s in np.ndindex(layer.kernel):
        y, x = r * dy, s * dx
        rows, columns = slice(y, y + (e - 1) * sy + 1, sy), slice(x, x + (f - 1) * sx + 1, sx)
        yield (r, s), (slice(None), slice(None), rows, columns)


def _blocks(layer: Layer, images: int) -> Iterator[slice]:
    window = layer.in_shape[0] * prod(layer.kernel) * prod(layer.product_shape[1:])
    return cache_blocks(images, window, _BLOCK_ELEMENTS)
