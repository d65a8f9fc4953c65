"""Convolution and linear layers in NumPy: a linear layer is a convolution of one position.

The product of an identity is its input.

Y[n, k, e, f] = sum over c, r, s of W[k, c, r, s] X[n, c, e stride + r dilation - padding, ...];
images [N, C, H, W] with N = T B. One image block at a time, so that unfolded windows stay small.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tlm.workload.model import Layer
from tlm.workload.values import Numbers

_BLOCK_ELEMENTS = 1 << 22


def product(layer: Layer, inputs: Numbers, weights: Numbers) -> Numbers:
    """Y [N, K, E, F] of ``inputs`` [N, C, H, W] and ``weights`` [K, C / groups, R, S]."""
    if not layer.weighted:
        return inputs
    flat = weights.reshape(layer.groups, len(weights) // layer.groups, -1)
    output = np.empty((len(inputs), *layer.product_shape))
    for block in _blocks(layer, len(inputs)):
        sums = _columns(layer, inputs[block]) @ flat.transpose(0, 2, 1)
        sums = sums.transpose(1, 0, 2).reshape(-1, *_grid(layer))
        output[block] = sums.transpose(0, 3, 1, 2)
    return output


def weight_gradient(layer: Layer, inputs: Numbers, dY: Numbers) -> Numbers:
    """dW [K, C / groups, R, S] from ``inputs`` [N, C, H, W] and ``dY`` [N, K, E, F].

    Every input window is multiplied by the gradients of the outputs that it went into.
    """
    if not layer.weighted:
        return np.zeros(layer.weight_shape)
    outputs = layer.out_shape[0] // layer.groups
    total = np.zeros((layer.groups, outputs, int(np.prod(layer.weight_shape[1:]))))
    for block in _blocks(layer, len(inputs)):
        rows = dY[block].transpose(1, 0, 2, 3).reshape(layer.groups, outputs, -1)
        total += rows @ _columns(layer, inputs[block])
    return total.reshape(layer.weight_shape)


def input_gradient(layer: Layer, dY: Numbers, weights: Numbers) -> Numbers:
    """dX [N, C, H, W] from ``dY`` [N, K, E, F]: a window's gradient is added where it was read."""
    if not layer.weighted:
        return dY
    channels, height, width = layer.in_shape
    (sy, sx), (py, px), (dy, dx) = layer.stride, layer.padding, layer.dilation
    _, e, f = layer.product_shape
    padded = np.zeros((len(dY), channels, height + 2 * py, width + 2 * px))
    for r, s in np.ndindex(layer.kernel):
        share = _spread(layer, dY, weights[:, :, r, s])
        y, x = r * dy, s * dx
        window = padded[:, :, y : y + (e - 1) * sy + 1 : sy, x : x + (f - 1) * sx + 1 : sx]
        window += share.transpose(0, 3, 1, 2)
    return padded[:, :, py : py + height, px : px + width]


def _spread(layer: Layer, dY: Numbers, weights: Numbers) -> Numbers:
    """One tap's share of dX, [N, E, F, C]; a group of outputs reaches the inputs of its group."""
    outputs = layer.out_shape[0] // layer.groups
    parts = [slice(k, k + outputs) for k in range(0, layer.out_shape[0], outputs)]
    return np.concatenate([np.tensordot(dY[:, k], weights[k], axes=(1, 0)) for k in parts], axis=-1)


def _grid(layer: Layer) -> tuple[int, int, int]:
    channels, rows, columns = layer.product_shape
    return (rows, columns, channels)


def _columns(layer: Layer, images: Numbers) -> Numbers:
    """Windows as rows, by group: [groups, N E F, C / groups R S]."""
    (py, px), (sy, sx), (dy, dx) = layer.padding, layer.stride, layer.dilation
    padded = np.pad(images, ((0, 0), (0, 0), (py, py), (px, px)))
    windows = sliding_window_view(padded, layer.extent, axis=(2, 3))
    windows = windows[:, :, ::sy, ::sx, ::dy, ::dx]
    split = windows.reshape(len(images), layer.groups, -1, *windows.shape[2:])
    size = int(np.prod(layer.weight_shape[1:]))
    return split.transpose(1, 0, 3, 4, 2, 5, 6).reshape(layer.groups, -1, size)


def _blocks(layer: Layer, images: int) -> Iterator[slice]:
    window = int(np.prod(layer.weight_shape[1:])) * int(np.prod(layer.product_shape[1:]))
    size = max(1, _BLOCK_ELEMENTS // window)
    for first in range(0, images, size):
        yield slice(first, first + size)
