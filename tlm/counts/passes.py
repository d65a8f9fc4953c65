"""Passes: blocks that are walked alike, panel by panel, as arrays of what their entries cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

from tlm.counts.array_pass import GroupWork
from tlm.counts.dataflow import Walker, walk_panel
from tlm.counts.engine_array import EngineArray
from tlm.counts.held_weights import walk_held_weights
from tlm.counts.walk import Entry, WalkCount, WeightTile, chained, flat, nothing, table_of
from tlm.space.array_types import Ints
from tlm.space.region import Block, Span, length, overlap


@dataclass(frozen=True, slots=True)
class Panel:
    """Channels of second walked together against ``partners``; ``entries`` are its own."""

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
    """Blocks one after the other that are walked alike; ``walked`` [block, entry]."""

    blocks: Sequence[Block]
    layout: Layout
    walked: WalkCount[Ints]


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
    """Walk the ``channels`` of second, ``panel`` at a time, ``size`` weight tiles at a time."""
    walkers = work[0].walkers
    for (scanned, order), run in groupby(enumerate(blocks), lambda one: _scan(walkers, one[1])):
        found = [at for at, _ in run]
        some = slice(found[0], found[-1] + 1)
        places = list(_places(array, work, order, channels, panel))
        if not places:
            continue
        if scanned and array.dataflow == "weight":
            tiles, walked = _held_weights(places, some, size)
        else:
            tiles, walked = _by_block(places, blocks[some], size)
        ends = list(accumulate(map(len, tiles)))
        entries = zip([0, *ends], ends, strict=False)
        panels = tuple(
            Panel(place.channels, place.work.first, span)
            for place, span in zip(places, entries, strict=True)
        )
        taps = tuple(walkers[at].shape.taps for at in order)
        layout = Layout(scanned, taps, panels, [entry for own in tiles for entry in own])
        yield Passes(blocks[some], layout, walked)


def _scan(walkers: Sequence[Walker], block: Block) -> tuple[bool, tuple[int, ...]]:
    """Whether a block is scanned, and its classes of positions, from its first row on."""
    rows = [(walker.seen.rows(block.rows), walker.seen) for walker in walkers]
    order = sorted(
        (planes.row + span[0] * planes.pitch, at)
        for at, (span, planes) in enumerate(rows)
        if length(span)
    )
    scanned = any(walkers[at].seen.alive(block) for _, at in order)
    return scanned, tuple(at for _, at in order)


def _places(
    array: EngineArray, work: Sequence[GroupWork], order: Sequence[int], channels: Span, panel: int
) -> Iterator[_Place]:
    for one in work:
        wanted, origin = overlap(one.second, channels), one.second[0]
        for start in range(*wanted, panel):
            end = min(start + panel, wanted[1])
            groups = range((start - origin) // array.cols, -(-(end - origin) // array.cols))
            yield _Place(one, [one.walkers[at] for at in order], (start, end), groups)


def _held_weights(
    places: Sequence[_Place], some: slice, size: int
) -> tuple[list[list[list[WeightTile]]], WalkCount[Ints]]:
    """The weight tiles of every entry of a panel, and what they cost, all groups at once."""
    walked: list[WalkCount[Ints]] = []
    for _, run in groupby(places, lambda place: id(place.work)):
        own = list(run)
        groups = range(own[0].groups[0], own[-1].groups[0] + 1)
        counted = [
            walk_held_weights(walker.shape, walker.counted.of(some), groups, size)
            for walker in own[0].walkers
        ]
        walked.append(flat(chained(counted)))
    tiles = [
        [
            walker.shape.tiles(place.groups[0], under[start : start + size])
            for walker in place.walkers
            for under in [walker.shape.under]
            for start in range(0, len(under), size)
        ]
        for place in places
    ]
    return tiles, chained(walked)


def _by_block(
    places: Sequence[_Place], blocks: Sequence[Block], size: int
) -> tuple[list[list[list[WeightTile]]], WalkCount[Ints]]:
    """The same, block by block and panel by panel; where there is no position, nothing."""
    found: list[list[Entry]] = []
    for block in blocks:
        tiles, entries = [], list[Entry]()
        walks = {id(walker): walker.at(block) for place in places for walker in place.walkers}
        for place in places:
            own = [
                entry
                for walker in place.walkers
                for entry in walk_panel(walks[id(walker)], place.groups, size)
            ] or [nothing()]
            tiles.append([weights for weights, _ in own])
            entries += own
        found.append(entries)
    return tiles, table_of(found)
