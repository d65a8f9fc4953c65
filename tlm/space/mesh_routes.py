"""Routes over a mesh: its channels, and which of them bring a packet nearer to its target.

Node ``y * columns + x`` lies in column x and row y, row 0 in the north. The links of the network,
the links in a trace and those that an export names are all named by what stands here.

XY and YX finish one dimension before the other, so no packet ever turns back into the first: the
channels can be numbered so that every route climbs, and no cycle of packets that wait for each
other can close (Dally and Seitz, IEEE Trans. Computers C-36(5), 1987). West-first goes west
before anything else and is free among the other productive directions; the two turns into west
that it forbids break every cycle (Glass and Ni, ISCA 1992).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

Routing = Literal["xy", "yx", "west-first"]
ROUTINGS: tuple[Routing, ...] = ("xy", "yx", "west-first")
ADAPTIVE: tuple[Routing, ...] = ("west-first",)  # the way depends on the load

EAST, WEST, SOUTH, NORTH = range(4)
DIRECTIONS = ("east", "west", "south", "north")
OPPOSITE = (WEST, EAST, NORTH, SOUTH)


def channels(columns: int, rows: int) -> Iterator[tuple[int, int, int]]:
    """(node, direction, neighbour) of every channel of a mesh, in order of nodes."""
    for node in range(columns * rows):
        x, y = node % columns, node // columns
        for direction, there, neighbour in (
            (EAST, x + 1 < columns, node + 1),
            (WEST, x > 0, node - 1),
            (SOUTH, y + 1 < rows, node + columns),
            (NORTH, y > 0, node - columns),
        ):
            if there:
                yield node, direction, neighbour


def distance(columns: int, source: int, target: int) -> int:
    """Channels between two nodes on a shortest route."""
    return abs(source % columns - target % columns) + abs(source // columns - target // columns)


def directions(routing: Routing, columns: int, node: int, target: int) -> tuple[int, ...]:
    """The directions a packet at ``node`` may take, the one XY would take first.

    Empty at the target itself.
    """
    dx = target % columns - node % columns
    dy = target // columns - node // columns
    along_x = () if dx == 0 else (EAST,) if dx > 0 else (WEST,)
    along_y = () if dy == 0 else (SOUTH,) if dy > 0 else (NORTH,)
    if routing == "yx":
        return (along_y + along_x)[:1]
    if routing == "west-first" and dx >= 0:
        return along_x + along_y
    return (along_x + along_y)[:1]


def route(routing: Routing, columns: int, source: int, target: int) -> Iterator[tuple[int, int]]:
    """(node, direction) of every channel on the way between two nodes.

    Of an adaptive routing, this is the way through a mesh without other traffic.
    """
    steps = {EAST: 1, WEST: -1, SOUTH: columns, NORTH: -columns}
    node = source
    while node != target:
        direction = directions(routing, columns, node, target)[0]
        yield node, direction
        node += steps[direction]
