"""Closed forms of a slice: its dense cycles, and the gradients it holds."""

from __future__ import annotations

from math import prod

from tlm.config.schema import ChipConfig
from tlm.mapping.dense import bp_dense_cycles, fp_dense_cycles, wg_dense_cycles
from tlm.mapping.geometry import output_rows, product_rows
from tlm.mapping.nest import Array, block_sizes, panel_positions
from tlm.mapping.region import Slice, length
from tlm.workload.model import NETWORK_INPUT, Layer


def dense_cycles(layer: Layer, steps: int, part: Slice, array: Array, chip: ChipConfig) -> int:
    """Closed-form FP + BP + WG cycles of one slice, every slot executed."""
    region, width, engines = part.neurons, layer.product_shape[2], chip.core.engines
    samples, rows = length(region.samples), length(product_rows(layer, region.rows))
    weights = length(region.channels) * prod(layer.weight_shape[1:])
    resident = weights * chip.precision.weight <= chip.core.memory.weights
    fit, _ = panel_positions(array, array.fp, width, length(region.channels))
    total = sum(
        n * fp_dense_cycles(layer, array, p, region.channels, resident)
        for p, n in block_sizes(samples, rows, steps, width, fit)
    )
    if layer.sources != (NETWORK_INPUT,) and length(part.input_rows):
        channels, _, columns = layer.in_shape
        fit, _ = panel_positions(array, array.bp, columns, channels)
        total += sum(
            n * bp_dense_cycles(layer, array, p, region.channels, resident, engines.bp.grid)
            for p, n in block_sizes(samples, length(part.input_rows), steps, columns, fit)
        )
    positions = samples * rows * width * steps
    return total + wg_dense_cycles(layer, array, positions, region.channels, engines.wg.grid)


def gradient_bits(layer: Layer, steps: int, part: Slice, chip: ChipConfig) -> int:
    """Bits of the dY of one sample and all steps that a slice holds: its own and BP's halo."""
    rows = product_rows(layer, part.neurons.rows)
    if length(part.input_rows) and layer.sources != (NETWORK_INPUT,):
        read = output_rows(layer, part.input_rows)
        rows = (min(rows[0], read[0]), max(rows[1], read[1]))
    values = length(part.neurons.channels) * length(rows) * layer.product_shape[2]
    return values * steps * chip.precision.gradient
