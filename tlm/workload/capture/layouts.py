"""Which axis of a boundary's tensors is time: that of neurons is told, others follow from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.capture.boundary import Boundary
from tlm.workload.capture.reading import rows_of
from tlm.workload.model import IntArray

TIME_AXES = (0, 1)
"""[T, B, ...] and [B, T, ...]; folded, the steps or the samples are those that go in blocks."""


def settle_time_axes(
    boundaries: Mapping[str, Boundary], steps: int, batch: int, time_axis: int
) -> None:
    """Note the time axis of all boundaries but neurons, which have ``time_axis``.

    They have the axis with which they read, or are read by, the same samples as their
    neighbours: a network may swap its axes, or fold them, wherever it likes.
    """
    samples = {
        name: _samples(boundary, time_axis, steps, batch)
        for name, boundary in boundaries.items()
        if boundary.kind == "neuron"
    }
    waiting = [name for name in boundaries if name not in samples]
    links = list(_links(boundaries))
    while ready := [name for name in waiting if _neighbours(name, links) & samples.keys()]:
        for name in ready:
            here = [link for link in links if name in link[:2] and samples.keys() & set(link[:2])]
            best = -2.0
            for axis in (time_axis, 1 - time_axis):
                ours = _samples(boundaries[name], axis, steps, batch)
                share = _agreement(here, {**samples, name: ours})
                if share > best:
                    best, samples[name] = share, ours
                    boundaries[name].time_axis = axis
                if best == 1:
                    break
        waiting = [name for name in waiting if name not in samples]


_Link = tuple[str, str, IntArray]
"""Who reads whom, and by row of the reader, all calls in order, the row that is read (or -1)."""


def _links(boundaries: Mapping[str, Boundary]) -> Iterator[_Link]:
    """One link for each boundary that another reads."""
    for name, reader in boundaries.items():
        by_source: dict[str, list[IntArray]] = {}
        for call in reader.readings:
            rows_of_sources = {factor.source: factor.rows for factor in call.factors}
            for source, rows in rows_of_sources.items():
                by_source.setdefault(source, []).append(rows)
        for source, calls in by_source.items():
            if source in boundaries and len(calls) == len(reader.readings):
                yield name, source, np.concatenate(calls)


def _neighbours(name: str, links: list[_Link]) -> set[str]:
    return {other for link in links if name in link[:2] for other in link[:2]} - {name}


def _samples(boundary: Boundary, axis: int, steps: int, batch: int) -> IntArray | None:
    """The sample of each row of its outputs with time at ``axis``; None if they fit no T and B."""
    try:
        return rows_of(replace(boundary, time_axis=axis), boundary.outputs, steps, batch).sample
    except WorkloadError:
        return None


def _agreement(links: list[_Link], samples: Mapping[str, IntArray | None]) -> float:
    """Share of rows that belong to one sample on both sides of a link: the least of all."""
    shares = []
    for reader, source, rows in links:
        ours, theirs = samples[reader], samples[source]
        if ours is None or theirs is None:
            return -1.0
        read = rows >= 0
        if len(ours) == len(rows) and read.any():
            shares.append(float((ours[read] == theirs[rows[read]]).mean()))
    return min(shares, default=0.0)
