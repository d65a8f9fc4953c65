"""Passes: blocks that are walked alike, panel by panel, as arrays of what their entries cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import NamedTuple

from tlm.counts.array_pass import GroupWork
from tlm.counts.dataflow import Walker, walk_panel
from tlm.counts.engine_array import EngineArray
from tlm.counts.held_weights import walk_held_weights
from tlm.counts.packed_walk import walk_packed
from tlm.counts.walk_count import (
    Entry,
    WalkCount,
    WeightTile,
    chained,
    empty_entry,
    flat,
    table_of,
)
from tlm.space.array_types import Ints
from tlm.space.region import Block, Span, length, overlap
from tlm.space.rounding import ceil_div

PanelTiles = list[list[WeightTile]]  # of every entry of a panel


class Panel(NamedTuple):
    """Channels along the columns walked together against the ``partners`` along the rows.

    ``entries`` is the span of the panel's entries among those of its block.
    """

    channels: Span
    partners: Span
    entries: Span


@dataclass(frozen=True, slots=True)
class Layout:
    """What is alike in blocks: whether they are ``scanned``, the ``taps`` of their positions.

    Every entry of a panel is a group of weight ``tiles`` walked together.
    """

    scanned: bool
    taps: tuple[tuple[int, ...], ...]
    panels: tuple[Panel, ...]
    tiles: Sequence[list[WeightTile]]


@dataclass(frozen=True, slots=True)
class Passes:
    """Blocks one after the other that are walked alike; ``counts`` are arrays [block, entry]."""

    blocks: Sequence[Block]
    layout: Layout
    counts: WalkCount[Ints]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a panel is: its channels, their groups, its work and walkers in order."""

    work: GroupWork
    walkers: Sequence[Walker]
    channels: Span
    groups: range


def passes(
    array: EngineArray, work: Sequence[GroupWork], blocks: Sequence[Block], channels: Span,
    panel: int, size: int,
) -> Iterator[Passes]:  # fmt: skip
    """Walk ``channels`` along the columns, ``panel`` at a time, ``size`` weight tiles at a time."""
    walkers = work[0].walkers
    scans = _scans(walkers, blocks)
    for (scanned, order), run in groupby(range(len(blocks)), scans.__getitem__):
        numbers = list(run)
        alike = slice(numbers[0], numbers[-1] + 1)
        places = list(_places(array, work, order, channels, panel))
        if not places:
            continue
        if scanned and array.dataflow == "weight":
            tiles, counts = _held_weights(places, alike, size)
        else:
            tiles, counts = _by_block(places, blocks[alike], size)
        ends = list(accumulate(map(len, tiles)))
        entries = zip([0, *ends], ends, strict=False)
        panels = tuple(
            Panel(place.channels, place.work.row_channels, span)
            for place, span in zip(places, entries, strict=True)
        )
        taps = tuple(walkers[at].shape.taps for at in order)
        layout = Layout(scanned, taps, panels, [entry for panel in tiles for entry in panel])
        yield Passes(blocks[alike], layout, counts)


def _scans(
    walkers: Sequence[Walker], blocks: Sequence[Block]
) -> list[tuple[bool, tuple[int, ...]]]:
    """Whether each block is scanned, and its classes of positions, from its first row on."""
    orders: dict[Span, tuple[int, ...]] = {}
    scans = []
    for block in blocks:
        if block.rows not in orders:
            orders[block.rows] = _order(walkers, block.rows)
        order = orders[block.rows]
        scanned = any([walkers[at].tested.alive(block) for at in order])
        scans.append((scanned, order))
    return scans


def _order(walkers: Sequence[Walker], rows: Span) -> tuple[int, ...]:
    """The classes of positions that rows of a box have, from the first row on."""
    spans = [(walker.tested.rows(rows), walker.tested) for walker in walkers]
    order = sorted(
        (planes.row + span[0] * planes.pitch, at)
        for at, (span, planes) in enumerate(spans)
        if length(span)
    )
    return tuple(at for _, at in order)


def _places(
    array: EngineArray, work: Sequence[GroupWork], order: Sequence[int], channels: Span, panel: int
) -> Iterator[_Place]:
    for group in work:
        origin = group.column_channels[0]
        first, last = overlap(group.column_channels, channels)
        for start in range(first, last, panel):
            end = min(start + panel, last)
            groups = range((start - origin) // array.cols, ceil_div(end - origin, array.cols))
            yield _Place(group, [group.walkers[at] for at in order], (start, end), groups)


def _held_weights(
    places: Sequence[_Place], alike: slice, size: int
) -> tuple[list[PanelTiles], WalkCount[Ints]]:
    """The weight tiles of every entry of a panel, and what they cost, all groups at once."""
    counts: list[WalkCount[Ints]] = []
    for _, run in groupby(places, lambda place: id(place.work)):
        panels = list(run)
        groups = range(panels[0].groups[0], panels[-1].groups[0] + 1)
        by_walker = [
            walk_held_weights(walker.shape, walker.held_weight_counts.of(alike), groups, size)
            if walker.tiles is None
            else walk_packed(
                walker.shape, walker.tiles, walker.packed_counts.of(alike), groups, size
            )
            for walker in panels[0].walkers
        ]
        counts.append(flat(chained(by_walker)))
    tiles = [
        [
            walker.shape.tiles(place.groups[0], pairs[start : start + size])
            for walker in place.walkers
            for pairs in [walker.shape.row_group_taps]
            for start in range(0, len(pairs), size)
        ]
        for place in places
    ]
    return tiles, chained(counts)


def _by_block(
    places: Sequence[_Place], blocks: Sequence[Block], size: int
) -> tuple[list[PanelTiles], WalkCount[Ints]]:
    """The same, block by block and panel by panel; where there is no position, nothing."""
    table: list[list[Entry]] = []
    for block in blocks:
        tiles, entries = [], list[Entry]()
        walks = {id(walker): walker.at(block) for place in places for walker in place.walkers}
        for place in places:
            panel = [
                entry
                for walker in place.walkers
                for entry in walk_panel(walks[id(walker)], place.groups, size)
            ] or [empty_entry()]
            tiles.append([entry.tiles for entry in panel])
            entries += panel
        table.append(entries)
    return tiles, table_of(table)
