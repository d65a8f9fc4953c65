"""Windows: the rows of FP's inputs, and of dY that comes to BP from DRAM, under a block of outputs.

Rows stay from one block to the next where all steps of a window find room; where not even those of
the block's own steps do, every panel of outputs streams them again. Beside its working room an
engine may have a pool lend it the rest of the window for its turn.
"""

from __future__ import annotations

from dataclasses import dataclass

from tlm.config.core import Memory
from tlm.counts.blocks import block_shape, panel_positions
from tlm.space.geometry import input_rows, output_rows, source_rows
from tlm.space.region import Span, length
from tlm.space.rounding import ceil_div
from tlm.storage.plan import LayerPlan, Plan
from tlm.storage.slice_sizes import product_region

WG_SHARE = 8  # part of the gradient memory for WG's dY where that comes from DRAM


def forward_room(memory: Memory) -> int:
    """Bits of working room for the inputs of FP, and for those of WG."""
    return memory.spikes // 2


def backward_room(memory: Memory) -> int:
    """Bits of working room for the dY that BP reads from DRAM."""
    return memory.gradients - memory.gradients // WG_SHARE


@dataclass(frozen=True, slots=True)
class RowWindow:
    """The largest window of a slice: ``bits`` of all steps, ``own`` of those of a block alone.

    All blocks together read ``passed`` rows, ``distinct`` of them different, each ``panels`` times
    where a block's own do not fit. A row of all samples and steps has ``row_bits`` in DRAM.
    """

    bits: int
    own: int
    passed: int
    distinct: int
    panels: int
    row_bits: int

    def refetch(self, room: int) -> int:
        """Bits that come again if the window has ``room``."""
        if self.bits <= room:
            return 0
        return (self.passed * (self.panels if self.own > room else 1) - self.distinct) * (
            self.row_bits
        )


def forward_windows(plan: Plan, layer_plan: LayerPlan) -> list[RowWindow]:
    """The inputs under a block of FP, of every slice."""
    layer, arrays = layer_plan.layer, plan.arrays
    channels, height, width = layer_plan.operand
    direct = not layer_plan.producers and plan.workload.encoding == "direct"
    steps, bits = 1 if direct else plan.steps, layer_plan.operand_bits
    windows = []
    for part in layer_plan.cut.slices:
        region = product_region(layer_plan, part)
        outputs, batch = length(region.channels), length(region.samples)
        positions, panel = panel_positions(arrays, arrays.fp, layer_plan.width, outputs)
        shape = batch, length(region.rows), plan.steps // layer_plan.repeats
        block = block_shape(*shape, layer_plan.width, positions)
        spans = [
            source_rows(layer, input_rows(layer, rows), height)
            for rows in _cut(region.rows, block[1])
        ]
        row = channels * width
        together = block[0] * row * bits
        stored = row * batch * steps * (len(layer_plan.feeds) * bool(layer_plan.producers) or bits)
        own = together * min(block[2], steps)
        windows.append(_window(spans, together * steps, own, ceil_div(outputs, panel), stored))
    return windows


def backward_windows(plan: Plan, layer_plan: LayerPlan) -> list[RowWindow]:
    """The dY under a block of BP over rows of the input, of every slice that has such rows."""
    layer, arrays = layer_plan.layer, plan.arrays
    inputs, _, columns = layer.in_shape
    positions, panel = panel_positions(arrays, arrays.bp, columns, inputs)
    windows = []
    for part in layer_plan.cut.slices:
        batch, rows = length(part.neurons.samples), length(part.input_rows)
        if rows:
            block = block_shape(batch, rows, plan.steps, columns, positions)
            spans = [output_rows(layer, rows) for rows in _cut(part.input_rows, block[1])]
            row = length(part.neurons.channels) * layer_plan.width * plan.chip.precision.gradient
            together, stored = row * block[0], row * batch * plan.steps
            sizes = together * plan.steps, together * block[2]
            windows.append(_window(spans, *sizes, ceil_div(inputs, panel), stored))
    return windows


def _cut(rows: Span, size: int) -> list[Span]:
    """The rows of every block."""
    return [(y, min(y + size, rows[1])) for y in range(*rows, size)]


def _window(spans: list[Span], row: int, own_row: int, panels: int, stored: int) -> RowWindow:
    """The window of blocks that read ``spans`` in order, of ``row`` bits a row."""
    most = max(length(span) for span in spans)
    passed, distinct, end = 0, 0, 0
    for span in spans:
        passed += length(span)
        distinct += max(0, span[1] - max(end, span[0]))
        end = max(end, span[1])
    return RowWindow(row * most, own_row * most, passed, distinct, panels, stored)
