"""WG programs: dW by output tile, over pieces of samples and rows whose operands fit the core.

dW stays in the accumulators over all samples and steps. A slice that does not fit is kept in DRAM
as partial sums, read and written once a sample block; where dY comes from DRAM anyway, WG passes
over it once for every part of dW that fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from tlm.counts.passes import Layout, Panel
from tlm.program.array_tile import array_tiles
from tlm.program.builder import (
    ProgramBuilder,
    add_up_sources,
    fetch_inputs,
    per_sample,
    saved_inputs,
)
from tlm.program.dY_exchange import gradient_blocks
from tlm.program.held_gradient import leave_held_gradient
from tlm.program.tile_draft import TileDraft
from tlm.program.weight_gradient_pieces import WeightGradientPass, boxes, passes_over
from tlm.space.phase import Phase
from tlm.space.region import Block, Region, Slice, Span, length
from tlm.space.rounding import ceil_div
from tlm.space.tile import Extent
from tlm.storage.plan import LayerPlan
from tlm.storage.streams import whole_panels


@dataclass(frozen=True, slots=True)
class _Piece:
    """A block of samples and rows of a pass, and whether the pass begins or ends with it."""

    block: Block
    wg_pass: WeightGradientPass
    is_first: bool
    is_last: bool


_DraftedPiece = tuple[_Piece, Layout, list[TileDraft]]


def build_weight_gradient(
    builder: ProgramBuilder, layer_plan: LayerPlan, parts: list[Slice], dY_blocks: dict[int, int]
) -> None:
    """Append WG of some slices; ``dY_blocks`` counts the dY blocks each core has let go of."""
    for part in parts if layer_plan.layer.multiplies else ():
        in_memory = layer_plan.stored.dY == "memory"
        spans = [part.neurons.samples]
        if in_memory:
            spans = gradient_blocks(builder, layer_plan, part)
        for walk in _walks(builder, layer_plan, part, spans):
            for piece, layout, tiles in walk:
                _complete(builder, layer_plan, part, piece, layout, tiles)
            if in_memory:
                last = builder.drafts[part.core]["wg"][-1]
                block_index = dY_blocks.get(part.core, 0)
                dY_blocks[part.core] = block_index + 1
                used = builder.done.ident("dY used", f"core{part.core:02d}", block_index)
                last.add_signals((builder.done.expect(used),))
    layer_plan.work.drop()


def _walks(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, spans: Sequence[Span]
) -> Iterator[list[_DraftedPiece]]:
    """The pieces of spans of samples of a slice; spans with the same passes are counted together.

    Most arrays of a span's few samples would be small.
    """

    def passes_of(samples: Span) -> list[WeightGradientPass]:
        return passes_over(builder, layer_plan, part, samples)

    for wg_passes, alike in groupby(spans, passes_of):
        spans_alike = list(alike)
        walks: list[list[_DraftedPiece]] = [[] for _ in spans_alike]
        for wg_pass in wg_passes:
            pieces = [
                (into, _Piece(block, wg_pass, block is box[0], block is box[-1]))
                for into, samples in zip(walks, spans_alike, strict=True)
                for box in boxes(builder, layer_plan, part, samples, wg_pass)
                for block in box
            ]
            # As a box is counted; a matmul takes the rows of a pair before the next step.
            order = attrgetter("samples", "rows", "steps")
            blocks = sorted((piece.block for _, piece in pieces), key=order)
            drafted = _drafted(builder, layer_plan, part, wg_pass, blocks)
            by_block = dict(zip(blocks, drafted, strict=True))
            for into, piece in pieces:
                into.append((piece, *by_block[piece.block]))
        yield from walks


def _drafted(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, wg_pass: WeightGradientPass,
    blocks: Sequence[Block],
) -> Iterator[tuple[Layout, list[TileDraft]]]:  # fmt: skip
    """The tiles of a pass over some blocks, block by block."""
    panel, channels = _panel_channels(builder, layer_plan, wg_pass), part.neurons.channels
    for passes in layer_plan.work.weight_gradient(
        blocks, channels, wg_pass.outputs, wg_pass.inputs, panel
    ):
        groupings = [whole_panels(passes.layout)] * len(passes.blocks)
        for tiles in array_tiles(builder, Phase.WG, layer_plan, passes, groupings):
            yield passes.layout, tiles


def _complete(
    builder: ProgramBuilder,
    layer_plan: LayerPlan,
    part: Slice,
    piece: _Piece,
    layout: Layout,
    tiles: list[TileDraft],
) -> None:
    """Append the tiles of a piece, with all that they read and wait for."""
    block, wg_pass = piece.block, piece.wg_pass
    samples, scanned = block.samples, layout.scanned
    sweep = (Phase.WG, layer_plan.layer.index, wg_pass)
    fresh, _ = builder.streams.input_rows(sweep, layer_plan, part, block)
    read = _channels_read(layer_plan, wg_pass, fresh.channels)
    inputs: Region | None = Region(read, samples, fresh.rows)
    for panel, tile in zip(layout.panels, tiles, strict=True):
        builder.add(part.core, tile)
        if layer_plan.stored.dY == "memory":
            tile.add_needs(per_sample(builder, "dY for WG", layer_plan, part, samples))
        if scanned:
            if inputs is not None:
                fetch_inputs(layer_plan, inputs, block.steps, tile, live=True)
                add_up_sources(builder, "wg", layer_plan, inputs, block.steps, tile)
            inputs = None
            tile.add_reads(_index_runs(layer_plan, panel))
            tile.add_read_needs(saved_inputs(builder, layer_plan, samples))
            if layer_plan.stored.dY == "dram":
                region = Region(panel.channels, samples, block.rows)
                _read_gradient(builder, layer_plan, part, (region, block.steps), tile)
        if layer_plan.held is not None and piece.is_last:
            leave_held_gradient(builder, layer_plan, part, block, panel, tile)
        if layer_plan.stored.dW == "dram":
            ends = (piece.is_first, piece.is_last) if wg_pass.once else (scanned, scanned)
            _spill(builder, layer_plan, part, panel, tile, ends)


def _channels_read(layer_plan: LayerPlan, wg_pass: WeightGradientPass, channels: Span) -> Span:
    """Which of the operand's channels, from 0 on, the inputs of a pass are: of a matmul all."""
    if layer_plan.held is not None:
        return channels
    # Inputs of a channel: 1, or H x W where a linear layer reads a convolution.
    each = layer_plan.layer.in_shape[0] // channels[1]
    return wg_pass.inputs[0] // each, ceil_div(wg_pass.inputs[1], each)


def _index_runs(layer_plan: LayerPlan, panel: Panel) -> tuple[Extent, ...]:
    """Where the index is that says which dW of a panel there are; none if it is in the core."""
    index = layer_plan.addressed.weights.get("W.index")
    if index is None or layer_plan.stored.W == "memory":
        return ()
    runs = (
        index.run(*index.stretch(k, panel.partners)) for k in range(*panel.channels, index.tile)
    )
    return tuple(run for run in runs if run[1])


def _panel_channels(
    builder: ProgramBuilder, layer_plan: LayerPlan, wg_pass: WeightGradientPass
) -> int:
    """Output channels that a held input meets: all, but for dY that comes from DRAM by tiles."""
    arrays = builder.arrays
    if arrays.wg.dataflow != "input" or layer_plan.stored.dY == "dram":
        return arrays.tile
    return ceil_div(length(wg_pass.outputs), arrays.tile) * arrays.tile


def _read_gradient(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, at: tuple[Region, Span],
    tile: TileDraft,
) -> None:  # fmt: skip
    """Let a tile read the dY of its output channels, in a region and steps, from DRAM."""
    region, steps = at
    tile.add_reads(
        layer_plan.addressed.tensors["dY"].runs(
            region.samples, steps, region.channels, region.rows, layer_plan.skips
        )
    )
    tile.add_read_needs(per_sample(builder, "dY saved", layer_plan, part, region.samples))


def _spill(
    builder: ProgramBuilder,
    layer_plan: LayerPlan,
    part: Slice,
    panel: Panel,
    tile: TileDraft,
    ends: tuple[bool, bool],
) -> None:
    """Keep the partial dW of a panel in DRAM between the pieces of a pass.

    ``ends`` says whether the tile takes up what was written before, and whether it leaves dW
    there. A pass that keeps its dW in the accumulators takes up what an earlier group of samples
    left with its first piece, and leaves it with its last; others do both with every piece.
    """
    spills = builder.spills.setdefault((layer_plan.layer.index, part.core), {})
    key = (panel.channels, panel.partners)
    before, runs = spills.get(key) or (None, _spilled_runs(layer_plan, part, *key))
    if not runs:
        return
    takes_up, leaves = ends
    if takes_up and before is not None:
        tile.add_reads(runs)
        tile.add_read_needs((before,))
    if not leaves:
        return
    written = builder.done.ident(
        "partial dW", layer_plan.layer.name, f"core{part.core:02d}", "channel", panel.channels[0],
        "input", panel.partners[0], "sample", tile.sample,
        "piece", len(builder.drafts[part.core]["wg"]),
    )  # fmt: skip
    spills[key] = builder.done.expect(written), runs
    tile.add_saves((written,))
    tile.add_writes(runs)


def _spilled_runs(
    layer_plan: LayerPlan, part: Slice, outputs: Span, inputs: Span
) -> tuple[Extent, ...]:
    """Where the dW of some channels is kept in DRAM; of neighbouring channels it is one run."""
    scratch = layer_plan.addressed.weights[f"dW.core{part.core:02d}"]
    runs: list[Extent] = []
    for k in range(*outputs, scratch.tile):
        run = scratch.run(*scratch.stretch(k, inputs))
        if not run[1]:
            continue
        if runs and sum(runs[-1]) == run[0]:
            runs[-1] = (runs[-1][0], runs[-1][1] + run[1])
        else:
            runs.append(run)
    return tuple(runs)
