"""dS through DRAM: where in a reader's dX, or in a matmul's dM, the part of a region lies."""

from __future__ import annotations

from collections.abc import Iterator

from tlm.space.feeds import Box
from tlm.space.geometry import fed_rows
from tlm.space.region import Region, Span, overlap
from tlm.space.tile import Extent
from tlm.storage.plan import HeldFeeds, LayerPlan
from tlm.workload.model import Layer, Shape3


def returned_runs(
    reader: LayerPlan, source: LayerPlan, pooled: Region
) -> Iterator[tuple[str, tuple[Extent, ...]]]:
    """All that a reader returns to a region of a source's outputs: "dX" or "dM", and its runs.

    There is one copy of dX for each channel cut of the reader, one of dM for each row cut.
    """
    for what, copies, boxes in (
        ("dX", reader.cut.split.k, list(_input_boxes(reader, source, pooled))),
        ("dM", reader.cut.split.spatial, list(_held_boxes(reader, source, pooled))),
    ):
        for copy in range(copies if boxes else 0):
            tensor, runs = reader.addressed.tensors[f"{what}{copy}"], list[Extent]()
            for box in boxes:
                runs += tensor.runs(pooled.samples, (0, tensor.steps), *box, reader.skips)
            yield what, tuple(dict.fromkeys(runs))


def _input_boxes(reader: LayerPlan, source: LayerPlan, pooled: Region) -> Iterator[Box]:
    """What of a layer's input a region of a source comes to, in channels and rows of it."""
    for feed in reader.feeds:
        if feed.source == source.layer.index:
            for channels, rows in feed.fed(pooled.channels, pooled.rows):
                yield from _of_input(reader, channels, rows)


def _of_input(reader: LayerPlan, channels: Span, rows: Span) -> Iterator[Box]:
    """A box of the operand as channels and rows of the input, which may be flattened or turned."""
    pool, (_, height, width) = reader.layer.input_pool, reader.operand
    if pool is not None:
        _, height, width = pool.pooled(reader.operand)
    rows = fed_rows(pool, rows, height)
    if reader.layer.turned:
        yield from _turned(reader.layer.groups, reader.operand, channels, _positions(rows, width))
    elif reader.layer.kind != "linear":
        yield channels, rows
    elif rows == (0, height):
        yield (channels[0] * height * width, channels[1] * height * width), (0, 1)
    else:
        for c in range(*channels):
            yield ((c * height + rows[0]) * width, (c * height + rows[1]) * width), (0, 1)


def _held_boxes(reader: LayerPlan, source: LayerPlan, pooled: Region) -> Iterator[Box]:
    """What a region of a source comes to of what a matmul holds, in outputs and inputs of dM."""
    held = reader.held
    for feed in () if held is None else held.feeds:
        if held is not None and feed.source == source.layer.index:
            for channels, rows in feed.fed(pooled.channels, pooled.rows):
                yield from _of_held(reader.layer, held, channels, rows)


def _of_held(layer: Layer, held: HeldFeeds, channels: Span, rows: Span) -> Iterator[Box]:
    """A box of what is held as outputs and inputs: channels and positions, or turned round."""
    positions = _positions(rows, held.grid[2])
    if layer.held is not None and layer.held.transposed:
        yield from _turned(layer.groups, held.grid, channels, positions)
    else:
        yield channels, positions


def _turned(groups: int, grid: Shape3, channels: Span, positions: Span) -> Iterator[Box]:
    """A box of a grid as positions of each group, and channels within the group."""
    each, plane = grid[0] // groups, grid[1] * grid[2]
    for group in range(groups):
        low, high = overlap(channels, (group * each, (group + 1) * each))
        if low < high:
            before = group * plane
            places = before + positions[0], before + positions[1]
            yield places, (low - group * each, high - group * each)


def _positions(rows: Span, width: int) -> Span:
    """The positions of some rows."""
    return rows[0] * width, rows[1] * width
