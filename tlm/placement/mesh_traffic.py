"""Mesh traffic: what two grids send each other, how far, and what the busiest link carries."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from tlm.config.fabric import Mesh
from tlm.placement.profile import Profile
from tlm.space.array_types import Floats
from tlm.space.feeds import Feed
from tlm.space.geometry import finished_rows, input_rows, product_rows, source_rows
from tlm.space.grid import Grid
from tlm.space.region import Slice, Span, length, overlap

Gridded = tuple[Profile, Grid]


def shared_outputs(producer: Gridded, reader: Gridded) -> Floats:
    """What slices of a layer have in common with those of one that reads it, [slice, reader].

    As a share of all the producer's output; every K-slice of the reader reads all that the layer
    reads of it, and returns dS of its own.
    """
    profile, grid = producer
    reading, reading_grid = reader
    channels, height, _ = profile.layer.pooled_shape
    slices, readers = grid.slices(), reading_grid.slices()
    pooled = [_pooled_rows(profile, part) for part in slices]
    feed = next(feed for feed in reading.feeds if feed.source == profile.layer.index)
    boxes = [_read_box(reading, feed, part) for part in readers]
    total = profile.batch * channels * height
    samples = _overlaps(
        [part.neurons.samples for part in slices], [part.neurons.samples for part in readers]
    )
    rows = _overlaps(pooled, [rows for _, rows in boxes])
    own = [part.neurons.channels for part in slices]
    met = np.array([[sum(length(overlap(a, b)) for b in spans) for spans, _ in boxes] for a in own])
    return np.asarray(samples * rows * met / total)


@lru_cache(maxsize=1 << 14)  # grids of one shape are alike for layers of as many weights
def busiest_exchange(k: int, cores: tuple[int, ...], weights: int, mesh: Mesh) -> float:
    """What the busiest port or link carries as replicas send each other their dW.

    ``k`` slices have ``weights`` each; a replica sends an even share to each with the same ones.
    """
    replicas, part = len(cores) // k, np.arange(len(cores)) % k
    alike = part[:, None] == part[None, :]
    np.fill_diagonal(alike, False)
    return busiest(alike / replicas * weights, cores, cores, mesh) if replicas > 1 else 0.0


@lru_cache(maxsize=1 << 14)
def way(source: int, target: int, mesh: Mesh) -> tuple[int, ...]:
    """The numbers of all links from a core to another: its port, XY along the mesh, the port."""
    nodes = mesh.columns * mesh.rows
    (y, x), (last_y, last_x) = divmod(source, mesh.columns), divmod(target, mesh.columns)
    along_row = range(x, last_x, 1 if last_x > x else -1)
    along_column = range(y, last_y, 1 if last_y > y else -1)
    right, down = last_x > x, last_y > y
    return (
        source,
        *((2 + right) * nodes + y * mesh.columns + at for at in along_row),
        *((4 + down) * nodes + at * mesh.columns + last_x for at in along_column),
        nodes + target,
    )


def hops(sources: Sequence[int], targets: Sequence[int], mesh: Mesh) -> Floats:
    """Mesh links between cores, which sit on nodes of their own number."""
    ys, xs = np.divmod(np.array(sources)[:, None], mesh.columns)
    yt, xt = np.divmod(np.array(targets)[None, :], mesh.columns)
    return np.asarray(np.abs(ys - yt) + np.abs(xs - xt), np.float64)


def busiest(volumes: Floats, sources: Sequence[int], targets: Sequence[int], mesh: Mesh) -> float:
    """The most that a port or a link of the mesh carries of ``volumes`` [source, target].

    Routes go along rows first (XY); what stays on a core goes nowhere.
    """
    sent = volumes * (np.array(sources)[:, None] != np.array(targets)[None, :])
    flow = np.zeros((mesh.columns * mesh.rows, mesh.columns * mesh.rows))
    np.add.at(flow, np.ix_(sources, targets), sent)
    most = max(flow.sum(axis=1).max(), flow.sum(axis=0).max())
    at = flow.reshape(mesh.rows, mesh.columns, mesh.rows, mesh.columns)
    along_rows = at.sum(axis=2)  # [row of the source, its column, column of the target]
    along_columns = at.sum(axis=1).transpose(2, 0, 1)  # [column of the target, rows]
    return float(max(most, _most_across(along_rows), _most_across(along_columns)))


def _most_across(flow: Floats) -> float:
    """The largest flow [line, from, to] over any link of any line, either way."""
    nodes = flow.shape[1]
    most = 0.0
    for cut in range(1, nodes):
        most = max(
            most,
            flow[:, :cut, cut:].sum(axis=(1, 2)).max(),
            flow[:, cut:, :cut].sum(axis=(1, 2)).max(),
        )
    return most


def _pooled_rows(profile: Profile, part: Slice) -> Span:
    layer = profile.layer
    return finished_rows(layer.pool, part.neurons.rows, layer.out_shape[1], layer.pooled_shape[1])


def _read_box(profile: Profile, feed: Feed, part: Slice) -> tuple[list[Span], Span]:
    """Channels and rows of a source that a slice reads."""
    channels, height, _ = profile.operand
    rows = input_rows(profile.layer, product_rows(profile.layer, part.neurons.rows))
    return feed.read((0, channels), source_rows(profile.layer, rows, height))


def _overlaps(spans: list[Span], others: list[Span]) -> Floats:
    """Lengths of the common parts of spans, [span, other]."""
    a, b = np.array(spans), np.array(others)
    low = np.maximum(a[:, None, 0], b[None, :, 0])
    high = np.minimum(a[:, None, 1], b[None, :, 1])
    return np.asarray(np.maximum(high - low, 0), np.float64)
