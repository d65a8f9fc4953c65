"""Closed forms of a slice: its dense cycles, and the gradients it holds."""

from __future__ import annotations

from tlm.config.schema import ChipConfig
from tlm.mapping.geometry import output_rows, product_rows
from tlm.mapping.nest import (
    Array,
    block_sizes,
    bp_dense_cycles,
    fp_dense_cycles,
    wg_dense_cycles,
)
from tlm.mapping.region import Slice, length
from tlm.workload.model import NETWORK_INPUT, Layer


def dense_cycles(layer: Layer, steps: int, part: Slice, array: Array) -> int:
    """Closed-form FP + BP + WG cycles of one slice, every slot executed."""
    region, width = part.neurons, layer.product_shape[2]
    samples, rows = length(region.samples), length(product_rows(layer, region.rows))
    total = sum(
        n * fp_dense_cycles(layer, array, p, region.channels)
        for p, n in block_sizes(samples, rows, steps, width, array.positions)
    )
    if layer.sources != (NETWORK_INPUT,) and length(part.input_rows):
        total += sum(
            n * bp_dense_cycles(layer, array, p, region.channels)
            for p, n in block_sizes(
                samples, length(part.input_rows), steps, layer.in_shape[2], array.positions
            )
        )
    return total + wg_dense_cycles(layer, array, samples * rows * width * steps, region.channels)


def gradient_bits(layer: Layer, steps: int, part: Slice, chip: ChipConfig) -> int:
    """Bits of the dY of one sample and all steps that a slice holds: its own and BP's halo."""
    rows = product_rows(layer, part.neurons.rows)
    if length(part.input_rows) and layer.sources != (NETWORK_INPUT,):
        read = output_rows(layer, part.input_rows)
        rows = (min(rows[0], read[0]), max(rows[1], read[1]))
    values = length(part.neurons.channels) * length(rows) * layer.product_shape[2]
    return values * steps * chip.precision.gradient
