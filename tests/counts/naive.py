"""Slots and operations counted by plain loops over the definition: the oracle of the counts.

A slot is one kernel tap at one position, between a chunk of input channels and a tile of output
channels. Indices are absolute; an operand outside the image is zero.
"""

from __future__ import annotations

import itertools

import numpy as np


def groups(channels, size):
    """Channel groups as slices; the last may be short."""
    return [slice(c, min(c + size, channels)) for c in range(0, channels, size)]


def taps_of(layer):
    """(number, row, column) of every kernel tap."""
    return [
        (r * layer.kernel[1] + s, r, s)
        for r in range(layer.kernel[0])
        for s in range(layer.kernel[1])
    ]


def operand(values, y, x):
    """The channels at one pixel, zeros outside the image."""
    if 0 <= y < values.shape[1] and 0 <= x < values.shape[2]:
        return values[:, y, x]
    return np.zeros(values.shape[0], bool)


def forward(layer, inputs, chunk):
    """FP: executed slots and non-zero operands, [T, B, chunk, tap, E]."""
    (c, _, _), (_, e, f) = layer.in_shape, layer.out_shape
    parts, taps = groups(c, chunk), taps_of(layer)
    executed = np.zeros((*inputs.shape[:2], len(parts), len(taps), e), int)
    events = np.zeros_like(executed)
    for t, b in np.ndindex(*inputs.shape[:2]):
        for (tap, r, s), y, x in itertools.product(taps, range(e), range(f)):
            row = y * layer.stride[0] - layer.padding[0] + r * layer.dilation[0]
            column = x * layer.stride[1] - layer.padding[1] + s * layer.dilation[1]
            pixel = operand(inputs[t, b], row, column)
            for n, part in enumerate(parts):
                count = int(pixel[part].sum())
                executed[t, b, n, tap, y] += count > 0
                events[t, b, n, tap, y] += count
    return executed, events


def backward(layer, gradients, need, chunk, tile):
    """BP: executed slots and useful pairs, [T, B, k tile, c chunk, tap, H].

    dS at input pixel (y, x) takes dU of the output pixel whose tap looks at it; there is none
    where the stride has no output: those are the inserted zeros.
    """
    (c, h, w), (k, _, _) = layer.in_shape, layer.out_shape
    tiles, parts, taps = groups(k, tile), groups(c, chunk), taps_of(layer)
    executed = np.zeros((*gradients.shape[:2], len(tiles), len(parts), len(taps), h), int)
    useful = np.zeros_like(executed)
    for t, b in np.ndindex(*gradients.shape[:2]):
        for (tap, r, s), y, x in itertools.product(taps, range(h), range(w)):
            above, left = r * layer.dilation[0], s * layer.dilation[1]
            row, y_rest = divmod(y + layer.padding[0] - above, layer.stride[0])
            column, x_rest = divmod(x + layer.padding[1] - left, layer.stride[1])
            if y_rest or x_rest:
                continue
            pixel = operand(gradients[t, b], row, column)
            for (m, out), (n, part) in itertools.product(enumerate(tiles), enumerate(parts)):
                given, wanted = int(pixel[out].sum()), int(need[t, b, part, y, x].sum())
                executed[t, b, m, n, tap, y] += given > 0 and wanted > 0
                useful[t, b, m, n, tap, y] += given * wanted
    return executed, useful


def weight_gradient(layer, inputs, gradients, chunk, tile):
    """WG: executed slots and useful pairs, [T, B, k tile, c chunk, tap, E]."""
    (c, _, _), (k, e, f) = layer.in_shape, layer.out_shape
    tiles, parts, taps = groups(k, tile), groups(c, chunk), taps_of(layer)
    executed = np.zeros((*inputs.shape[:2], len(tiles), len(parts), len(taps), e), int)
    useful = np.zeros_like(executed)
    for t, b in np.ndindex(*inputs.shape[:2]):
        for (tap, r, s), y, x in itertools.product(taps, range(e), range(f)):
            row = y * layer.stride[0] - layer.padding[0] + r * layer.dilation[0]
            column = x * layer.stride[1] - layer.padding[1] + s * layer.dilation[1]
            pixel = operand(inputs[t, b], row, column)
            for (m, out), (n, part) in itertools.product(enumerate(tiles), enumerate(parts)):
                spikes, given = int(pixel[part].sum()), int(gradients[t, b, out, y, x].sum())
                executed[t, b, m, n, tap, y] += spikes > 0 and given > 0
                useful[t, b, m, n, tap, y] += spikes * given
    return executed, useful


def pooled_spikes(layer, spikes):
    """Max-pooled spikes: a window fires if any of its neurons does."""
    size, (down, across) = layer.pool.size, layer.pool.stride
    k, e, f = layer.pooled_shape
    found = np.zeros((*spikes.shape[:2], k, e, f), bool)
    for t, b, c, y, x in np.ndindex(*found.shape):
        for i, j in np.ndindex(size):
            found[t, b, c, y, x] |= spikes[t, b, c, y * down + i, x * across + j]
    return found


def needed(layer, spikes, masks):
    """The mask of the neuron that max-pool routes the gradient to: the first maximum."""
    size, (down, across) = layer.pool.size, layer.pool.stride
    k, e, f = layer.pooled_shape
    found = np.zeros((*spikes.shape[:2], k, e, f), bool)
    for t, b, c, y, x in np.ndindex(*found.shape):
        best = None
        for i, j in np.ndindex(size):
            place = (t, b, c, y * down + i, x * across + j)
            if best is None or spikes[place] > spikes[best]:
                best = place
        found[t, b, c, y, x] = masks[best]
    return found
