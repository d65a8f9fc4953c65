"""What a layer puts together: masks and whole numbers on their way through windows to an operand.

Arrays are [..., C, H, W].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, reduce
from math import prod
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tlm.space.array_types import Bools, Ints
from tlm.space.feeds import Feed
from tlm.space.region import Region
from tlm.workload.model import Pool, Shape3
from tlm.workload.operand import Line, Operand, Step, Term, Window

Element = TypeVar("Element", bound=np.generic)


def together(
    operand: Operand, left: Callable[[Term], npt.NDArray[Element]], join: np.ufunc
) -> npt.NDArray[Element]:
    """Parts side by side; each what its terms have ``left``, joined, and zeros without terms."""
    parts = [reduce(join, map(left, part.terms)) if part.terms else None for part in operand.parts]
    like = next(values for values in parts if values is not None)
    return np.concatenate(
        [
            np.zeros((*like.shape[:-3], part.channels, *like.shape[-2:]), like.dtype)
            if values is None
            else values
            for part, values in zip(operand.parts, parts, strict=True)
        ],
        axis=-3,
    )


def windowed(window: Window, values: npt.NDArray[Element]) -> npt.NDArray[Element]:
    """What of ``values`` comes through a window."""
    shaped = values.reshape(*values.shape[:-3], *window.shape)
    channels = shaped[..., window.start : window.stop, :, :]
    return _along(_along(channels, -2, window.rows), -1, window.columns)


@lru_cache(maxsize=64)
def partial_gradients(feed: Feed, operand: Shape3) -> Ints:
    """How many dX every element of a source receives from one copy of the ``operand``'s dX.

    Where an element stands several times in a window it receives as many. A pool returns to each
    element of its windows what they have, once.
    """
    total = np.zeros(feed.shape, np.int64)
    for strand in feed.strands:
        height, width = operand[1:]
        count = np.ones((strand.channels[1] - strand.channels[0], height, width), np.int64)
        for step, shape in zip(reversed(strand.way), reversed(strand.shapes[:-1]), strict=True):
            count = _returned(step, count, shape)
        total += count
    return total


def places_of(feed: Feed, operand: Shape3, box: Region, pool: Pool | None) -> Bools:
    """Which elements of an input, behind ``pool``, any of a ``box`` of a source comes to."""
    left = np.zeros(feed.shape, np.bool_)
    left[slice(*box.channels), slice(*box.rows)] = True
    places = np.zeros(operand, np.bool_)
    for strand in feed.strands:
        values = left
        for step in strand.way:
            if isinstance(step, Window):
                values = windowed(step, values)
            else:
                assert isinstance(step, Pool)
                values = any_of_windows(step, values)
        places[slice(*strand.channels)] |= values
    return places if pool is None else any_of_windows(pool, places)


def any_of_windows(pool: Pool, values: Bools) -> Bools:
    """Whether any element of each window is set."""
    return reduce(np.logical_or, taps(pool, values))


def taps(pool: Pool, values: npt.NDArray[Element]) -> list[npt.NDArray[Element]]:
    """[..., E, F] -> views [..., E', F'] for each tap of the windows in scan order, zero-padded."""
    around = edges(pool)
    outside = any(map(any, around))
    padded = np.pad(values, [(0, 0)] * (values.ndim - 2) + around) if outside else values
    rows, columns = (
        [slice(tap, side - size + tap + 1, step) for tap in range(size)]
        for side, size, step in zip(padded.shape[-2:], pool.size, pool.stride, strict=True)
    )
    return [padded[..., y, x] for y in rows for x in columns]


def edges(pool: Pool) -> list[tuple[int, int]]:
    """Rows, and columns, outside before the first and behind the last."""
    return [(pad, pad + over) for pad, over in zip(pool.padding, pool.overhang, strict=True)]


def spread(pool: Pool, values: npt.NDArray[Element], shape: Shape3) -> npt.NDArray[Element]:
    """Every element of ``shape``: the largest of the windows that hold it, or zero."""
    (top, bottom), (left, right) = edges(pool)
    sides = (top + shape[1] + bottom, left + shape[2] + right)
    full = np.zeros((*values.shape[:-2], *sides), values.dtype)
    for window in taps(replace(pool, padding=(0, 0), overhang=(0, 0)), full):
        np.maximum(window, values, out=window)
    return full[..., top : top + shape[1], left : left + shape[2]]


def _returned(step: Step, count: Ints, shape: Shape3) -> Ints:
    if not isinstance(step, Window):
        assert isinstance(step, Pool)
        return spread(step, count, shape)
    places = windowed(step, np.arange(1, prod(shape) + 1).reshape(shape))  # 0: nowhere
    sums = np.bincount(places.ravel(), count.ravel(), prod(shape) + 1)
    return sums[1:].astype(np.int64).reshape(shape)


def _along(values: npt.NDArray[Element], axis: int, line: Line) -> npt.NDArray[Element]:
    if line.is_whole(values.shape[axis]):
        return values
    rows = np.repeat(np.arange(line.start, line.stop, line.step), line.repeat)
    shape = list(values.shape)
    shape[axis] = line.size
    full = np.zeros(shape, values.dtype)
    among_zeros = slice(line.before, line.before + line.span, line.spread)
    np.moveaxis(full, axis, 0)[among_zeros] = np.moveaxis(np.take(values, rows, axis), axis, 0)
    return full
