"""Walks of BP: the array's tiles of a slice and what they send back, counted for all its samples.

The gradient unit hands BP a few samples at a time. What BP does with each of them is counted
before, of all samples at once, because most arrays of a few samples are small.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from tlm.counts.blocks import blocks, panel_positions
from tlm.counts.passes import Panel, Passes
from tlm.program.array_tile import array_tiles, by_panel
from tlm.program.builder import ProgramBuilder
from tlm.program.gradient_routes import Messages, Routes, returned_over
from tlm.program.tile_draft import TileDraft
from tlm.space.phase import Phase
from tlm.space.region import Block, Slice, Span, length
from tlm.storage.sweeps import Sweep, backward_sweeps
from tlm.storage.tile_grouping import TileGrouping


class WalkedBlock(NamedTuple):
    """A block of a sweep, its tiles by panel, the rows whose masks it reads, and what it returns.

    ``returned`` has for every route the messages of each panel.
    """

    sweep: Sweep
    block: Block
    panels: list[tuple[Panel, list[TileDraft]]]
    mask_rows: Span
    returned: list[list[Messages]]


def backward_walks(
    builder: ProgramBuilder, routes: Routes, part: Slice, spans: Sequence[Span]
) -> Iterator[list[WalkedBlock]]:
    """BP of some spans of samples of a slice, one span after the other."""
    if not length(part.input_rows):
        return

    def sweeps_of(samples: Span) -> tuple[Sweep, ...]:
        return tuple(backward_sweeps(builder.plan, routes.layer_plan, part, samples))

    for sweeps, alike in groupby(spans, sweeps_of):
        yield from _swept(builder, routes, part, list(alike), sweeps)


def _swept(
    builder: ProgramBuilder, routes: Routes, part: Slice, spans: Sequence[Span],
    sweeps: Sequence[Sweep],
) -> Iterator[list[WalkedBlock]]:  # fmt: skip
    """The walks over spans that have the same sweeps."""
    layer_plan, array = routes.layer_plan, builder.arrays.bp
    channels, _, columns = layer_plan.layer.in_shape
    positions, panel = panel_positions(builder.arrays, array, columns, channels)
    walk, ends, apart = list[Block](), [0], layer_plan.held is not None
    for samples in spans:
        box = (samples, part.input_rows, builder.plan.steps, columns, positions)
        walk += blocks(*box, apart)
        ends.append(len(walk))
    work, owned = layer_plan.work, part.neurons.channels
    passes: list[list[Passes]] = []
    for sweep in sweeps:
        size = builder.streams.together(sweep, array)
        passes.append(list(work.backward(walk, owned, sweep.outputs, panel, size)))
    cuts: list[list[TileGrouping]] = [[] for _ in sweeps]
    layouts = [[(run.layout, block) for run in runs for block in run.blocks] for runs in passes]
    for first, end in pairwise(ends):  # in the order in which weights take each other's place
        for sweep, of_sweep, cut in zip(sweeps, layouts, cuts, strict=True):
            for layout, block in of_sweep[first:end]:
                cut.append(builder.streams.cut(sweep, layer_plan, part.core, layout, block))
    swept = [
        _tiled(builder, routes, part, sweep, runs, cut)
        for sweep, runs, cut in zip(sweeps, passes, cuts, strict=True)
    ]
    for first, end in pairwise(ends):
        yield [walked for of_sweep in swept for walked in of_sweep[first:end]]


def _tiled(
    builder: ProgramBuilder, routes: Routes, part: Slice, sweep: Sweep, runs: list[Passes],
    cuts: list[TileGrouping],
) -> list[WalkedBlock]:  # fmt: skip
    """The blocks of one sweep, cut into tiles as said for each."""
    walk = [block for run in runs for block in run.blocks]
    chunks = [panel.channels for panel in runs[0].layout.panels]
    returned = [
        returned_over(builder, route, part.core, walk, chunks) for route in routes.over_mesh
    ]
    mask_rows = builder.streams.mask_rows(routes.layer_plan, part, walk)
    walked = list[WalkedBlock]()
    for run in runs:
        groupings = cuts[len(walked) : len(walked) + len(run.blocks)]
        drafted = array_tiles(builder, Phase.BP, routes.layer_plan, run, groupings)
        for block, grouping, tiles in zip(run.blocks, groupings, drafted, strict=True):
            panels, at = by_panel(run.layout, grouping, tiles), len(walked)
            messages = [of_blocks[at] for of_blocks in returned]
            walked.append(WalkedBlock(sweep, block, panels, mask_rows[at], messages))
    return walked
