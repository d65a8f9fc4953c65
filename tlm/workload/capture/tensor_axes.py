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


class Elements(Protocol):
    """Elements ``first``, ``first`` + 1, ... of ``shape``: a call's output, or what a pool made."""

    @property
    def of(self) -> object:
        """A call, by its number, or a pool."""

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
    lines = [_line(places, axis) for axis in range(places.ndim)]
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


def kind_along(line: IntArray, origins: Sequence[Elements]) -> AxisKind | None:
    """What changes along a line of elements; None if nothing does, or if it is not known."""
    if len(line) < 2 or (line < 0).any():
        return None
    rows, inside, areas = _located(line, origins)
    if (rows != rows[0]).any():
        return "row"
    if (inside // areas != inside[0] // areas[0]).any():
        return "channel"
    return "position" if (inside != inside[0]).any() else None


def single_row(places: Tensor, origins: Sequence[Elements]) -> bool:
    """Whether a map [..., C, 1, W] is of planes of one column."""
    line = _line(places, places.ndim - 1)
    if places.shape[-2] > 1 or kind_along(line, origins) != "position":
        return False
    return _features3(origins[int(_origin_of(line, origins)[0])])[2] == 1


def planes_along(line: IntArray, origins: Sequence[Elements]) -> tuple[int, int]:
    """Rows and columns of a line of positions: those of its origin if it is all of them."""
    _, inside, areas = _located(line, origins)
    which = _origin_of(line, origins)
    _, height, width = _features3(origins[int(which[0])])
    if len(line) == height * width and (inside % areas == np.arange(len(line))).all():
        return height, width
    return len(line), 1


def row_runs(line: IntArray, origins: Sequence[Elements]) -> int:
    """How many elements at the start of a line are of one row."""
    rows, _, _ = _located(line, origins)
    return int(np.argmax(np.append(rows, -2) != rows[0]))


def _line(places: Tensor, axis: int) -> IntArray:
    """Elements along one axis, at the end of all others: at the start delays leave zeros."""
    at = tuple(slice(None) if each == axis else -1 for each in range(places.ndim))
    return np.asarray(places[at].numpy(), np.int64)


def _located(line: IntArray, origins: Sequence[Elements]) -> tuple[IntArray, IntArray, IntArray]:
    """By element: its row (calls and pools apart), its number there, and elements of a plane.

    Outputs of two boundaries side by side, of one call and row, are of one row.
    """
    which = _origin_of(line, origins)
    features = np.array([_features3(origin) for origin in origins], np.int64)
    sizes = features.prod(1)[which]
    row, inside = np.divmod(line - _firsts(origins)[which], sizes)
    calls = [getattr(origin.of, "call", -1 - at) for at, origin in enumerate(origins)]
    return np.array(calls, np.int64)[which] * (1 << 32) + row, inside, features[which, 1:].prod(1)


def _origin_of(line: IntArray, origins: Sequence[Elements]) -> IntArray:
    return np.searchsorted(_firsts(origins), line, "right") - 1


def _firsts(origins: Sequence[Elements]) -> IntArray:
    return np.array([origin.first for origin in origins], np.int64)


def _features3(origin: Elements) -> tuple[int, int, int]:
    channels, height, width = (*features_of(origin.shape), 1, 1)[:3]
    return channels, height, width
