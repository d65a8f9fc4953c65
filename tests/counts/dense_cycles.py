"""Closed forms: cycles of a block and of a slice if engines skip nothing, for every dataflow.

With chunks and tiles of channels, R S taps, P positions, rows x cols the array:

    weight   tiles x chunks x taps x (rows + P)
    output   ceil(P / rows) x channels streamed x taps per tile; P cycles more per tile each time
             its sums (WG: its dY) change: once per group of weights to write, once more to read
             them back
    input    chunks x taps x (P cycles to hold them, for every run of a panel that the weight
             buffer holds, and ceil(P / cols) x channels of the panel)

A slot takes more than a cycle where the banks cannot feed it. Drain and soma pass are added once
per panel. Of a strided layer BP walks the positions of each remainder by the stride with their own
taps on the compacted grid, WG walks stride x stride times the positions on the inserted one.
"""

from __future__ import annotations

from math import prod

from tlm.config.chip import ChipConfig
from tlm.counts.blocks import block_sizes, panel_positions
from tlm.counts.core_arrays import CoreArrays
from tlm.counts.engine_array import EngineArray
from tlm.space.geometry import product_rows
from tlm.space.region import Slice, Span, cuts, length
from tlm.space.rounding import ceil_div
from tlm.workload.model import NETWORK_INPUT, Layer


def dense_cycles(
    layer: Layer, steps: int, part: Slice, arrays: CoreArrays, chip: ChipConfig
) -> int:
    """Closed-form FP + BP + WG cycles of one slice, every slot executed."""
    region, width = part.neurons, layer.product_shape[2]
    samples, rows = length(region.samples), length(product_rows(layer, region.rows))
    weights = length(region.channels) * prod(layer.weight_shape[1:])
    resident = weights * chip.precision.weight <= chip.core.memory.weights
    fit, _ = panel_positions(arrays, arrays.fp, width, length(region.channels))
    total = sum(
        n * fp_cycles(layer, arrays, p, region.channels, resident)
        for p, n in block_sizes(samples, rows, steps, width, fit)
    )
    if layer.sources != (NETWORK_INPUT,) and length(part.input_rows):
        channels, _, columns = layer.in_shape
        fit, _ = panel_positions(arrays, arrays.bp, columns, channels)
        total += sum(
            n * bp_cycles(layer, arrays, p, region.channels, resident)
            for p, n in block_sizes(samples, length(part.input_rows), steps, columns, fit)
        )
    positions = samples * rows * width * steps
    return total + wg_cycles(layer, arrays, positions, region.channels)


def fp_cycles(layer: Layer, arrays: CoreArrays, p: int, channels: Span, resident: bool) -> int:
    """FP over a block of ``p`` positions, with drain and soma pass of every panel."""
    depth, taps = layer.weight_shape[1], layer.kernel[0] * layer.kernel[1]
    _, panel = panel_positions(arrays, arrays.fp, layer.product_shape[2], length(channels))
    size = _together(arrays, arrays.fp, resident)
    total = 0
    for width, count in _widths(layer, length(channels), panel):
        each = _panel(arrays.fp, depth, width, taps, p, size) + arrays.depth
        total += count * (each + ceil_div(p * width, arrays.lanes))
    return total


def bp_cycles(layer: Layer, arrays: CoreArrays, p: int, channels: Span, resident: bool) -> int:
    """BP over a block of ``p`` input positions, for the slice's ``channels``, with drains.

    On the compacted grid the positions are taken to be spread evenly over the remainders.
    """
    depth, inputs = length(channels) // layer.groups, layer.in_shape[0]
    _, panel = panel_positions(arrays, arrays.bp, layer.in_shape[2], inputs)
    size = _together(arrays, arrays.bp, resident)
    phases = [(p, layer.kernel[0] * layer.kernel[1])]
    if arrays.bp.grid == "compacted":
        phases = _phases(layer, p)
    total = 0
    for width, count in _widths(layer, inputs, panel):
        each = sum(_panel(arrays.bp, depth, width, taps, q, size) for q, taps in phases)
        total += count * (each + arrays.depth)
    return total


def wg_cycles(layer: Layer, arrays: CoreArrays, positions: int, channels: Span) -> int:
    """WG over ``positions`` of the product: samples x steps x rows x columns, with drains."""
    depth, taps = layer.weight_shape[1], layer.kernel[0] * layer.kernel[1]
    if arrays.wg.grid == "inserted":
        positions *= layer.stride[0] * layer.stride[1]
    panel = length(channels) if arrays.wg.dataflow == "input" else arrays.tile
    total = 0
    for width, count in _widths(layer, length(channels), panel):
        each = _panel(arrays.wg, depth, width, taps, positions, depth * width * taps)
        total += count * (each + arrays.depth)
    return total


def _together(arrays: CoreArrays, array: EngineArray, resident: bool) -> int:
    """Weight tiles that are there together: half a buffer, or the whole slice if it stays."""
    return 1 << 40 if resident and array.dataflow != "weight" else arrays.half_buffer


def _widths(layer: Layer, channels: int, panel: int) -> list[tuple[int, int]]:
    """(Channels of a panel, how many such panels); none reaches over two groups."""
    groups = min(layer.groups, channels)
    full, rest = divmod(channels // groups, panel)
    return [(width, groups * count) for width, count in ((panel, full), (rest, int(rest > 0)))]


def _panel(array: EngineArray, depth: int, width: int, taps: int, p: int, size: int) -> int:
    """One panel of ``width`` channels along the columns against ``depth`` along the rows."""
    if not p or not width:
        return 0
    chunks = ceil_div(depth, array.rows)
    if array.dataflow == "weight":
        return chunks * taps * (array.rows + p * array.slot_cycles)
    if array.dataflow == "output":
        changes = 2 * ceil_div(chunks * taps, size) - 1 if not array.weights_are_sums else 1
        return ceil_div(p, array.rows) * depth * taps * array.slot_cycles + changes * p
    runs = ceil_div(ceil_div(width, array.cols), size)
    return chunks * taps * (runs * p + ceil_div(p, array.cols) * width * array.slot_cycles)


def _phases(layer: Layer, p: int) -> list[tuple[int, int]]:
    """(Positions, taps) of every remainder by the stride that has a tap."""
    (sy, sx), (r, s) = layer.stride, layer.kernel
    shares = [length(span) for span in cuts(p, sy * sx)] + [0] * (sy * sx)
    taps = [len(range(y, r, sy)) * len(range(x, s, sx)) for y in range(sy) for x in range(sx)]
    return [(share, count) for share, count in zip(shares, taps, strict=False) if share and count]
