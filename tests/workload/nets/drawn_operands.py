"""What a layer of a random network reads: windows, pools and joins of what there is."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from tests.workload.nets.drawn_layout import Layout

LONGEST = 9
"""Of a side: what is larger is not made larger."""

JOINS: dict[str, Callable[[Any, Any], Any]] = {
    "sum": lambda x, y: x + y,
    "gate and": lambda x, y: x * y,
    "gate and not": lambda x, y: x * (1 - y),
    "gate or": lambda x, y: x + (1.0 - x) * y,
}
"""What is made of two alike."""


def sides(x: Any, layout: Layout) -> tuple[int, ...]:
    """The sizes of space, without time."""
    space = list(x.shape[2:])
    if layout.time is not None:
        space.pop(layout.time - 2 if layout.time > 0 else -1)
    return tuple(space)


def joined(name: str, layout: Layout) -> Callable[[Any, Any], Any]:
    """A join of two by its name."""
    if name == "gate of one place":

        def of_one(x: Any, y: Any) -> Any:
            for axis in range(len(sides(y, layout))):
                y = y.narrow(layout.axis(y) + axis, 0, 1)
            return x * y

        return of_one
    if name == "concatenation":
        return lambda x, y: torch.cat((x, y), 1)
    return JOINS[name]


def joins_of(x: Any, y: Any) -> list[str]:
    """The joins that fit two shapes."""
    if x.shape == y.shape:
        return [*JOINS, "gate of one place", "concatenation"]
    return ["concatenation"] if x.shape[2:] == y.shape[2:] else []


def windows_of(x: Any, layout: Layout) -> list[str]:
    """The windows and pools that fit what is read."""
    space = sides(x, layout)
    names = ["whole", "whole", "shifted"] if min(space) > 1 else ["whole"]
    if x.shape[1] % 2 == 0:
        names += ["half of the channels", "halves swapped"]
    if min(space) >= 4:
        names += ["crop", "largest pool", "mean pool", "down and up"]
    if max(space) * 2 <= LONGEST:
        names.append("upsampling")
    return names


def window(name: str, layout: Layout, space: int, draw: random.Random) -> Callable[[Any], Any]:
    """A window or a pool by its name; sizes of pools are drawn."""
    up = tuple(map(float, layout.window((2,) * space)))
    if name in ("largest pool", "mean pool"):
        return _pool(name, layout, space, draw)
    if name == "down and up":
        modules = layout.modules(space)
        pool = draw.choice((modules.largest, modules.mean))(layout.window((2,) * space))
        return lambda x: F.interpolate(pool(x), size=_even(x, layout))
    return {
        "whole": lambda x: x,
        "shifted": lambda x: _shifted(x, layout),
        "half of the channels": lambda x: x[:, x.shape[1] // 2 :],
        "halves swapped": lambda x: torch.cat(x.chunk(2, 1)[::-1], 1),
        "crop": lambda x: x.narrow(layout.axis(x), 1, x.shape[layout.axis(x)] - 2),
        "upsampling": lambda x: F.interpolate(x, scale_factor=up),
    }[name]


def _shifted(x: Any, layout: Layout) -> Any:
    """By one place, along the first axis of space: zeros come in."""
    axis = layout.axis(x)
    behind = [0, 0] * (x.ndim - 1 - axis)
    return F.pad(x.narrow(axis, 0, x.shape[axis] - 1), (*behind, 1, 0))


def _even(x: Any, layout: Layout) -> tuple[int, ...]:
    """Twice the half of each side, rounded down; time as it is."""
    halved = tuple(side // 2 * 2 for side in sides(x, layout))
    return layout.window(halved, 0 if layout.time is None else x.shape[layout.time])


def _pool(name: str, layout: Layout, space: int, draw: random.Random) -> Callable[[Any], Any]:
    """Of oblong windows, strides that leave gaps or overlap, padding, and rounded up."""
    size = tuple(draw.randint(2, 3) for _ in range(space))
    stride = tuple(draw.randint(1, 3) for _ in range(space))
    padding = tuple(draw.randint(0, 1) for _ in range(space))
    windows = layout.window(size), layout.window(stride), layout.window(padding, 0)
    if name == "mean pool":
        return layout.modules(space).mean(*windows)
    return layout.modules(space).largest(*windows, ceil_mode=draw.random() < 0.3)
