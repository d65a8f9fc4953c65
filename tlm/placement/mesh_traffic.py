"""Flow: how far the spikes and gradients between two grids travel on the mesh (estimated)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tlm.placement.profile import Profile
from tlm.space.geometry import finished_rows, input_rows, product_rows, source_rows
from tlm.space.grid import Grid
from tlm.space.region import Slice, Span

Floats = npt.NDArray[np.float64]


def hop_bytes(producer: Profile, made: Grid, reader: Profile, read: Grid, columns: int) -> int:
    """Bytes times hops of the spikes from a layer to one that reads it, and of the dS back.

    The part of the producer's output that two slices share counts as its share of all its bits;
    every K-slice of the reader returns dS of its own.
    """
    height = producer.layer.pooled_shape[1]
    sources = [_pooled_rows(producer, part) for part in made.slices()]
    wanted = [_wanted_rows(reader, part, height) for part in read.slices()]
    total = producer.batch * producer.layer.out_shape[0] * height
    shared = (
        _overlaps(
            [p.neurons.samples for p in made.slices()], [p.neurons.samples for p in read.slices()]
        )
        * _overlaps(sources, wanted)
        * np.array([[p.neurons.channels[1] - p.neurons.channels[0]] for p in made.slices()])
        / total
    )
    hops = _hops(made.cores, read.cores, columns)
    bits = producer.spike_bits + reader.return_bits
    return int((shared * hops).sum() * bits / 8)


def _pooled_rows(profile: Profile, part: Slice) -> Span:
    layer = profile.layer
    return finished_rows(layer.pool, part.neurons.rows, layer.out_shape[1], layer.pooled_shape[1])


def _wanted_rows(profile: Profile, part: Slice, height: int) -> Span:
    rows = input_rows(profile.layer, product_rows(profile.layer, part.neurons.rows))
    return source_rows(profile.layer, rows, height)


def _overlaps(some: list[Span], others: list[Span]) -> Floats:
    """Lengths of the common parts of spans, [some, others]."""
    a, b = np.array(some), np.array(others)
    low = np.maximum(a[:, None, 0], b[None, :, 0])
    high = np.minimum(a[:, None, 1], b[None, :, 1])
    return np.asarray(np.maximum(high - low, 0), np.float64)


def _hops(sources: tuple[int, ...], targets: tuple[int, ...], columns: int) -> Floats:
    """Mesh links between cores, which sit on nodes of their own number."""
    ys, xs = np.divmod(np.array(sources)[:, None], columns)
    yt, xt = np.divmod(np.array(targets)[None, :], columns)
    return np.asarray(np.abs(ys - yt) + np.abs(xs - xt), np.float64)
