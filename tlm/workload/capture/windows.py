"""A map of elements -> the windows that it is: channels, rows and columns of its origins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

import numpy as np

from tlm.workload.model import BoolArray, IntArray, Shape3
from tlm.workload.operand import Line, Window

NOWHERE = -1


@dataclass(frozen=True)
class PlaceSpan:
    """Channels ``start``..``stop`` of a map, which ``window`` reads of ``place`` (-1: zeros)."""

    start: int
    stop: int
    place: int
    window: Window | None


def spans_of(
    places: IntArray, elements: IntArray, features: Sequence[tuple[int, ...]]
) -> list[PlaceSpan] | None:
    """The fewest spans that a map [C, H, W] is; None if it is not made of windows.

    ``places`` says by element which place it comes from (-1: none), ``elements`` its number there,
    and ``features`` the shape of each place.
    """
    best: list[PlaceSpan] | None = None
    for views in _views(features, places.shape[1:]):
        spans = _spans(places, elements, views)
        if spans is not None and (best is None or len(spans) < len(best)):
            best = spans
    return best


def narrowed(window: Window, start: int, stop: int) -> Window:
    """Channels ``start``..``stop`` of what a window leaves."""
    return replace(window, start=window.start + start, stop=window.start + stop)


def _views(features: Sequence[tuple[int, ...]], planes: tuple[int, ...]) -> Iterator[list[Shape3]]:
    """Shapes to read places in: their own, flattened, or in planes as the map's."""
    area = prod(planes)
    own = [_shape3(shape) for shape in features]
    flat = [(prod(shape), 1, 1) for shape in features]
    yield own
    if any(shape[1:] != tuple(planes) for shape in own) and flat != own:
        yield flat
    if area > 1 and any(len(shape) == 1 for shape in features):
        height, width = planes
        yield [
            (prod(shape) // area, height, width)
            if len(shape) == 1 and prod(shape) % area == 0
            else _shape3(shape)
            for shape in features
        ]


def _shape3(shape: tuple[int, ...]) -> Shape3:
    channels, height, width = (*shape, 1, 1)[:3]
    return (channels, height, width)


def _spans(places: IntArray, elements: IntArray, views: Sequence[Shape3]) -> list[PlaceSpan] | None:
    valid = places >= 0
    heights, widths = (
        np.array([view[axis] for view in views] or [1])[np.maximum(places, 0)] for axis in (1, 2)
    )
    channel, inside = np.divmod(elements, heights * widths)
    row, column = np.divmod(inside, widths)
    rows, columns = _known(row, valid).max(2), _known(column, valid).max(1)
    source, place = _known(channel, valid).max((1, 2)), _known(places, valid).max((1, 2))
    crossing = (rows >= 0)[:, :, None] & (columns >= 0)[:, None, :]
    agree = (
        (row == rows[:, :, None])
        & (column == columns[:, None, :])
        & (channel == source[:, None, None])
        & (places == place[:, None, None])
    )
    if not (np.array_equal(crossing, valid) and agree[valid].all()):
        return None
    follows = (
        (np.diff(place) == 0)
        & ((np.diff(source) == 1) | (place[1:] < 0))
        & (np.diff(rows, axis=0) == 0).all(1)
        & (np.diff(columns, axis=0) == 0).all(1)
    )
    cuts = [0, *(np.flatnonzero(~follows) + 1).tolist(), len(place)]
    spans = []
    for start, stop in pairwise(cuts):
        at = int(place[start])
        if at < 0:
            spans.append(PlaceSpan(start, stop, NOWHERE, None))
            continue
        across, down = line_of(rows[start]), line_of(columns[start])
        if across is None or down is None:
            return None
        first = int(source[start])
        window = Window(views[at], first, first + stop - start, across, down)
        spans.append(PlaceSpan(start, stop, at, window))
    return spans


def _known(values: IntArray, valid: BoolArray) -> IntArray:
    return np.where(valid, values, NOWHERE)


def line_of(places: IntArray) -> Line | None:
    """The line that reads these rows, -1 standing for a zero; None if no line does."""
    valid = np.flatnonzero(places >= 0)
    first, last = int(valid[0]), int(valid[-1])
    spread = int(valid[1]) - first if len(valid) > 1 else 1
    read = places[valid]
    repeat = int(np.argmax(np.append(read, -2) != read[0]))
    if (np.diff(valid) != spread).any() or len(read) % repeat:
        return None
    taken = read[::repeat]
    step = int(taken[1] - taken[0]) if len(taken) > 1 else 1
    if step < 1 or not np.array_equal(
        read, np.repeat(taken[0] + step * np.arange(len(taken)), repeat)
    ):
        return None
    start = int(taken[0])
    after = len(places) - 1 - last
    return Line(start, int(taken[-1]) + 1, step, repeat, first, after, spread)
