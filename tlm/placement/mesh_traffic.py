"""Mesh traffic: how far spikes and gradients between two grids travel on the mesh (estimated)."""

from __future__ import annotations

import numpy as np

from tlm.placement.profile import Profile
from tlm.space.array_types import Floats
from tlm.space.geometry import finished_rows, input_rows, product_rows, source_rows
from tlm.space.grid import Grid
from tlm.space.region import Slice, Span, length

Gridded = tuple[Profile, Grid]


def hop_bytes(producer: Gridded, reader: Gridded, columns: int) -> int:
    """Bytes times hops of the spikes from a layer to one that reads it, and of the dS back.

    The part of the producer's output that two slices share counts as its share of all its bits;
    every K-slice of the reader returns dS of its own. The mesh has ``columns`` columns.
    """
    profile, grid = producer
    reading, reading_grid = reader
    height = profile.layer.pooled_shape[1]
    slices, readers = grid.slices(), reading_grid.slices()
    pooled = [_pooled_rows(profile, part) for part in slices]
    read = [_read_rows(reading, part, height) for part in readers]
    total = profile.batch * profile.layer.out_shape[0] * height
    samples = _overlaps(
        [part.neurons.samples for part in slices], [part.neurons.samples for part in readers]
    )
    channels = np.array([[length(part.neurons.channels)] for part in slices])
    shared = samples * _overlaps(pooled, read) * channels / total
    hops = _hops(grid.cores, reading_grid.cores, columns)
    bits = profile.spike_bits + reading.return_bits
    return int((shared * hops).sum() * bits / 8)


def _pooled_rows(profile: Profile, part: Slice) -> Span:
    layer = profile.layer
    return finished_rows(layer.pool, part.neurons.rows, layer.out_shape[1], layer.pooled_shape[1])


def _read_rows(profile: Profile, part: Slice, height: int) -> Span:
    rows = input_rows(profile.layer, product_rows(profile.layer, part.neurons.rows))
    return source_rows(profile.layer, rows, height)


def _overlaps(spans: list[Span], others: list[Span]) -> Floats:
    """Lengths of the common parts of spans, [span, other]."""
    a, b = np.array(spans), np.array(others)
    low = np.maximum(a[:, None, 0], b[None, :, 0])
    high = np.minimum(a[:, None, 1], b[None, :, 1])
    return np.asarray(np.maximum(high - low, 0), np.float64)


def _hops(sources: tuple[int, ...], targets: tuple[int, ...], columns: int) -> Floats:
    """Mesh links between cores, which sit on nodes of their own number."""
    ys, xs = np.divmod(np.array(sources)[:, None], columns)
    yt, xt = np.divmod(np.array(targets)[None, :], columns)
    return np.asarray(np.abs(ys - yt) + np.abs(xs - xt), np.float64)
