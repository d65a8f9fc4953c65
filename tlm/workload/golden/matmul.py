"""Products of two recorded tensors in NumPy, forward and backward (see :mod:`tlm.workload.held`).

``read`` [T, B, C', H', W'] is what is read for M, or for X behind ``input_pool``; products and
gradients are [T, B, ...] of ``product_shape``.
"""

from __future__ import annotations

import numpy as np

from tlm.workload.model import Layer
from tlm.workload.values import Numbers


def streamed(layer: Layer, read: Numbers) -> Numbers:
    """X [T, B, C, H, W] of any layer: as it is read, flattened, or turned round within groups."""
    if layer.turned:
        read = _matrices(layer, read).swapaxes(-1, -2)
    return read.reshape(*read.shape[:2], *layer.in_shape)


def streamed_gradient(layer: Layer, dX: Numbers, shape: tuple[int, ...]) -> Numbers:
    """The gradient at what is read, of ``shape``, from that at X."""
    if layer.turned:
        dX = _matrices(layer, dX).swapaxes(-1, -2)
    return dX.reshape(shape)


def matmul(layer: Layer, X: Numbers, read: Numbers) -> Numbers:
    """Y, of X and the ``read`` that M lies in."""
    sums = _held(layer, read) @ _matrices(layer, X)
    return _scale(layer) * sums.reshape(*X.shape[:2], *layer.product_shape)


def matmul_input_gradient(layer: Layer, dY: Numbers, read: Numbers) -> Numbers:
    """dX [T, B, C, H, W], as behind weights that each sample and step has its own of."""
    sums = _held(layer, read).swapaxes(-1, -2) @ _matrices(layer, dY)
    return _scale(layer) * sums.reshape(*dY.shape[:2], *layer.in_shape)


def held_gradient(layer: Layer, X: Numbers, dY: Numbers, shape: tuple[int, ...]) -> Numbers:
    """The gradient at what M is read of, of ``shape``: dM, turned as M lies."""
    assert layer.held is not None
    sums = _matrices(layer, dY) @ _matrices(layer, X).swapaxes(-1, -2)
    turned = sums.swapaxes(-1, -2) if layer.held.transposed else sums
    return _scale(layer) * np.reshape(turned, shape)


def _held(layer: Layer, read: Numbers) -> Numbers:
    """M [T, B, groups, K / groups, C / groups]."""
    assert layer.held is not None
    matrices = _matrices(layer, read)
    return matrices.swapaxes(-1, -2) if layer.held.transposed else matrices


def _matrices(layer: Layer, tensor: Numbers) -> Numbers:
    """[T, B, C, H, W] -> [T, B, groups, C / groups, positions]."""
    steps, batch, channels = tensor.shape[:3]
    return tensor.reshape(steps, batch, layer.groups, channels // layer.groups, -1)


def _scale(layer: Layer) -> float:
    assert layer.held is not None
    return layer.held.scale
