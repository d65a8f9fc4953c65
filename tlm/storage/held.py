"""What a matmul holds in the place of weights: fetched from DRAM for every block of FP and of BP, a
few tiles at a time, as other layers left it, and unpacked to words of the weight buffer.

A block is of one sample and step; nothing of it serves the next. One whose gradient is zero is
skipped, and fetches nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tlm.counts.engine_array import EngineArray
from tlm.counts.passes import Layout
from tlm.counts.walk_count import WeightTile
from tlm.space.region import Block, Region, Span, length
from tlm.space.rounding import ceil_div
from tlm.space.tile import Extent
from tlm.storage.plan import LayerPlan
from tlm.storage.tile_grouping import TileGrouping
from tlm.workload.model import Layer

TileChannels = tuple[Span, Span]  # output and input channels of a tile


def held_tiles(
    layer_plan: LayerPlan, array: EngineArray, layout: Layout, block: Block, size: int
) -> TileGrouping:
    """The tiles of a block, ``size`` tiles of the array fetched together."""
    starts: list[int] = []
    runs: list[tuple[Extent, ...]] = []
    words: list[int] = []
    panels: list[Span] = []
    for panel in layout.panels:
        first, entries = len(starts), range(*panel.entries)
        most = max(len(layout.tiles[entry]) for entry in entries)
        together = max(1, size // max(1, most))
        for start in entries[::together]:
            entries_together = layout.tiles[start : min(start + together, entries.stop)]
            tiles = [tile for entry in entries_together for tile in entry] * layout.scanned
            boxes = [_box(layer_plan.layer, array, tile) for tile in tiles]
            starts.append(start)
            words.append(sum(length(outputs) * length(inputs) for outputs, inputs in boxes))
            runs.append(tuple(dict.fromkeys(_runs(layer_plan, block, boxes))))
        panels.append((first, len(starts)))
    none = np.zeros(len(starts), np.int64)
    return TileGrouping(np.array(starts), runs, np.array(words), none, none, panels)


def _box(layer: Layer, array: EngineArray, tile: WeightTile) -> TileChannels:
    """The channels of a tile, which ends with its group."""
    k, c, _ = tile
    width, depth = layer.product_channels // layer.groups, layer.in_shape[0] // layer.groups
    ends = (k // width + 1) * width, (c // depth + 1) * depth
    outputs, inputs = (array.rows, array.cols)[:: 1 if array.engine == "bp" else -1]
    return (k, min(k + outputs, ends[0])), (c, min(c + inputs, ends[1]))


def _runs(layer_plan: LayerPlan, block: Block, boxes: Sequence[TileChannels]) -> Iterator[Extent]:
    """Where the elements of some boxes lie: whole rows of what the layers left."""
    held, kept = layer_plan.layer.held, layer_plan.held
    assert held is not None and kept is not None
    channels, height, width = kept.grid
    each = channels // layer_plan.layer.groups
    for box in boxes:
        some, positions = box[::-1] if held.transposed else box
        before = some[0] // each * height * width  # positions of the groups before
        low, high = (at - before for at in positions)
        region = Region(some, block.samples, (low // width, ceil_div(high, width)))
        for feed, tensor in zip(kept.feeds, layer_plan.addressed.held, strict=True):
            for read in feed.regions(region):
                yield from tensor.runs(read.samples, block.steps, read.channels, read.rows)
