"""Which axis of a boundary's tensors is time: that of neurons is told, others follow from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
    settled = {name for name, each in boundaries.items() if each.kind == "neuron"}
    waiting = [name for name in boundaries if name not in settled]
    links = list(_links(boundaries))
    while ready := [name for name in waiting if _neighbours(name, links) & settled]:
        for name in ready:
            here = [link for link in links if name in link[:2] and set(link[:2]) & settled]
            shares = {
                axis: _agreement(name, axis, here, boundaries, (steps, batch))
                for axis in (time_axis, 1 - time_axis)
            }
            boundaries[name].time_axis = max(shares, key=shares.__getitem__)
            settled.add(name)
        waiting = [name for name in waiting if name not in settled]


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


def _agreement(
    name: str,
    axis: int,
    links: list[_Link],
    boundaries: Mapping[str, Boundary],
    sizes: tuple[int, int],
) -> float:
    """Share of rows that belong to one sample on both sides, if ``name`` has time at ``axis``."""
    boundaries[name].time_axis = axis
    shares = []
    for reader, source, rows in links:
        try:
            ours, theirs = (
                rows_of(boundaries[each], boundaries[each].outputs, *sizes).sample
                for each in (reader, source)
            )
        except WorkloadError:
            return -1.0
        read = rows >= 0
        if len(ours) == len(rows) and read.any():
            shares.append(float((ours[read] == theirs[rows[read]]).mean()))
    return min(shares, default=0.0)
