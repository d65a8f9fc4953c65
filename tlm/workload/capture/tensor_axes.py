"""Which axes of a tensor are steps and samples, which are channels, which are positions.

Networks of tokens lay them out in many ways: [T, B, N, C], [T B, C, N], [T, B, heads, N, d]. Where
the elements come from says which axis is which, so that each tensor can be seen as planes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from tlm.workload.capture.arranging import features_of
from tlm.workload.model import IntArray

if TYPE_CHECKING:
    from torch import Tensor


class CallOf(Protocol):
    """A call of a boundary."""

    @property
    def name(self) -> str:
        """That of the boundary."""

    @property
    def call(self) -> int:
        """Its number."""


class Elements(Protocol):
    """Elements ``first``, ``first`` + 1, ... of ``shape``: a call's output, or what a pool made."""

    @property
    def call(self) -> CallOf:
        """The call that made them, or what a pool made them of."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and features."""

    @property
    def first(self) -> int:
        """The number of the first element."""


AxisKind = Literal["row", "channel", "position"]


@dataclass(frozen=True)
class TensorAxes:
    """Axes of a tensor: ``rows`` (steps and samples), ``channels``, ``positions``.

    Positions are those of ``planes`` (rows, columns), in that order; without any, planes are ().
    """

    rows: tuple[int, ...]
    channels: tuple[int, ...]
    positions: tuple[int, ...]
    planes: tuple[int, ...]

    def planar(self, tensor: Tensor) -> Tensor:
        """``tensor`` as [..., C, H, W], or [..., C]."""
        rows = [tensor.shape[axis] for axis in self.rows]
        return tensor.permute(self._order).reshape(*rows, -1, *self.planes)

    def restored(self, planar: Tensor, shape: Sequence[int]) -> Tensor:
        """The reverse of ``planar``, to a tensor of ``shape``."""
        moved = planar.reshape([shape[axis] for axis in self._order])
        return moved.permute(np.argsort(self._order).tolist())

    @property
    def _order(self) -> tuple[int, ...]:
        return (*self.rows, *self.channels, *self.positions)


def axes_of(places: Tensor, origins: Sequence[Elements]) -> TensorAxes | None:
    """The axes of a map of elements; None if it is [..., C, H, W], or has no axis of positions.

    An axis of one element says nothing: among the first two it is one of rows, else of channels, or
    of positions if there are no others and channels stand before it.
    """
    lines = lines_of(places)
    kinds = [kind_along(line, origins) for line in lines]
    if _in_order(kinds) or ("position" not in kinds and not _misplaced_rows(kinds)):
        return None
    if kinds[-1] is None and "position" not in kinds and "channel" in kinds:
        kinds[-1] = "position"
    kinds = [kind or ("row" if axis < 2 else "channel") for axis, kind in enumerate(kinds)]
    rows, channels, positions = (
        tuple(axis for axis, each in enumerate(kinds) if each == kind)
        for kind in ("row", "channel", "position")
    )
    planes: tuple[int, ...] = tuple(places.shape[axis] for axis in positions)
    if len(positions) == 1:
        planes = planes_along(lines[positions[0]], origins)
    return TensorAxes(rows, channels, positions, planes)


def token_axes(shape: Sequence[int], steps: int) -> TensorAxes | None:
    """The axes of a tensor without gradient that a linear layer reads: [..., N, C] of tokens N.

    Of T ``steps`` and samples if one of the first two axes is as long, else of samples. None if
    that leaves no tokens.
    """
    rows = 2 if steps in shape[:2] else 1
    positions = tuple(range(rows, len(shape) - 1))
    if not 1 <= len(positions) <= 2:
        return None
    planes = (*(int(shape[axis]) for axis in positions), 1)[:2]
    return TensorAxes(tuple(range(rows)), (len(shape) - 1,), positions, planes)


def _in_order(kinds: Sequence[AxisKind | None]) -> bool:
    """Whether the axes may be [..., C, H, W]."""
    expected = ("row",) * (len(kinds) - 3) + ("channel", "position", "position")
    return len(kinds) > 3 and all(
        kind in (None, each) for kind, each in zip(kinds, expected, strict=True)
    )


def _misplaced_rows(kinds: Sequence[AxisKind | None]) -> bool:
    """Whether steps or samples stand where [..., C, H, W] or [..., C] have none, or the reverse."""
    rows = len(kinds) - (3 if len(kinds) > 3 else 1)
    return "row" in kinds[rows:] or any(kind not in ("row", None) for kind in kinds[:rows])


def row_axes(places: Tensor, origins: Sequence[Elements]) -> tuple[int, ...]:
    """The axes of a map of elements along which steps or samples are known to change."""
    kinds = [kind_along(line, origins) for line in lines_of(places)]
    return tuple(axis for axis, kind in enumerate(kinds) if kind == "row")


def kind_along(line: IntArray, origins: Sequence[Elements]) -> AxisKind | None:
    """What changes along the known elements of a line; None if nothing does."""
    known = line[line >= 0]
    if len(known) < 2:
        return None
    rows, inside, areas = _located(known, origins)
    names = [origins[at].call.name for at in _origin_of(known, origins)]
    _, first, source = np.unique(names, return_index=True, return_inverse=True)
    # What lies beside another source's outputs may be of another step: of steps before.
    of_source = first[source]
    kinds: dict[AxisKind, IntArray] = {"row": rows, "channel": inside // areas, "position": inside}
    return next((kind for kind, at in kinds.items() if (at != at[of_source]).any()), None)


def single_row(places: Tensor, origins: Sequence[Elements]) -> bool:
    """Whether a map [..., C, 1, W] is of planes of one column."""
    line = lines_of(places)[-1]
    if places.shape[-2] > 1 or kind_along(line, origins) != "position":
        return False
    return _features3(origins[int(_origin_of(line[line >= 0], origins)[0])])[2] == 1


def planes_along(line: IntArray, origins: Sequence[Elements]) -> tuple[int, int]:
    """The fewest columns, and their rows, in which a line of positions is a window on its origin.

    Such a window reads whole rows and columns of the origin's planes, or zeros. One column if there
    is none.
    """
    known = line >= 0
    _, inside, areas = _located(line[known], origins)
    width = _features3(origins[int(_origin_of(line[known], origins)[0])])[2]
    rows, columns = (np.full(len(line), -1) for _ in range(2))
    rows[known], columns[known] = np.divmod(inside % areas, width)
    for across in range(1, len(line) + 1):
        if len(line) % across == 0 and _crosses(
            rows.reshape(-1, across), columns.reshape(-1, across)
        ):
            return len(line) // across, across
    return len(line), 1


def _crosses(rows: IntArray, columns: IntArray) -> bool:
    """Whether each row of a plane reads one row, and each column one column; -1 are zeros."""
    row, column = rows.max(1, keepdims=True), columns.max(0, keepdims=True)
    read = (row >= 0) & (column >= 0)
    return bool(
        (rows == np.where(read, row, -1)).all() and (columns == np.where(read, column, -1)).all()
    )


def row_runs(line: IntArray, origins: Sequence[Elements]) -> int:
    """How many elements at the start of a line are of one row."""
    rows, _, _ = _located(line, origins)
    return int(np.argmax(np.append(rows, -2) != rows[0]))


def lines_of(places: Tensor) -> list[IntArray]:
    """Elements along each axis, through the last that is known: at the start delays leave zeros."""
    elements = places.numpy()
    at = (-1,) * elements.ndim
    if elements[at] < 0 and len(known := np.flatnonzero(elements >= 0)):
        at = np.unravel_index(known[-1], elements.shape)
    return [
        elements[(*at[:axis], slice(None), *at[axis + 1 :])].astype(np.int64)
        for axis in range(elements.ndim)
    ]


def _located(line: IntArray, origins: Sequence[Elements]) -> tuple[IntArray, IntArray, IntArray]:
    """By element: its row (calls apart), its number there, and elements of a plane.

    Outputs of two boundaries side by side, of one call and row, are of one row.
    """
    which = _origin_of(line, origins)
    features = np.array([_features3(origin) for origin in origins], np.int64)
    sizes = features.prod(1)[which]
    row, inside = np.divmod(line - _firsts(origins)[which], sizes)
    calls = [origin.call.call for origin in origins]
    return np.array(calls, np.int64)[which] * (1 << 32) + row, inside, features[which, 1:].prod(1)


def _origin_of(line: IntArray, origins: Sequence[Elements]) -> IntArray:
    return np.searchsorted(_firsts(origins), line, "right") - 1


def _firsts(origins: Sequence[Elements]) -> IntArray:
    return np.array([origin.first for origin in origins], np.int64)


def _features3(origin: Elements) -> tuple[int, int, int]:
    channels, height, width = (*features_of(origin.shape), 1, 1)[:3]
    return channels, height, width
