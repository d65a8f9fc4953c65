"""Closed forms of a slice: its dense cycles, and how dY and dW pass through its memories."""

from __future__ import annotations

from math import prod

from tlm.config.chip import ChipConfig
from tlm.counts.blocks import block_sizes, panel_positions
from tlm.counts.core_arrays import CoreArrays
from tlm.counts.dense import bp_dense_cycles, fp_dense_cycles, wg_dense_cycles
from tlm.space.geometry import input_rows, output_rows, product_rows
from tlm.space.region import Slice, length
from tlm.space.rounding import ceil_div
from tlm.workload.model import NETWORK_INPUT, Layer


def dense_cycles(
    layer: Layer, steps: int, part: Slice, arrays: CoreArrays, chip: ChipConfig
) -> int:
    """Closed-form FP + BP + WG cycles of one slice, every slot executed."""
    region, width, engines = part.neurons, layer.product_shape[2], chip.core.engines
    samples, rows = length(region.samples), length(product_rows(layer, region.rows))
    weights = length(region.channels) * prod(layer.weight_shape[1:])
    resident = weights * chip.precision.weight <= chip.core.memory.weights
    fit, _ = panel_positions(arrays, arrays.fp, width, length(region.channels))
    total = sum(
        n * fp_dense_cycles(layer, arrays, p, region.channels, resident)
        for p, n in block_sizes(samples, rows, steps, width, fit)
    )
    if layer.sources != (NETWORK_INPUT,) and length(part.input_rows):
        channels, _, columns = layer.in_shape
        fit, _ = panel_positions(arrays, arrays.bp, columns, channels)
        total += sum(
            n * bp_dense_cycles(layer, arrays, p, region.channels, resident, engines.bp.grid)
            for p, n in block_sizes(samples, length(part.input_rows), steps, columns, fit)
        )
    positions = samples * rows * width * steps
    return total + wg_dense_cycles(layer, arrays, positions, region.channels, engines.wg.grid)


def dY_bits(layer: Layer, steps: int, part: Slice, chip: ChipConfig) -> int:
    """Bits of the dY of one sample and all steps that a slice holds: its own and BP's halo."""
    rows = product_rows(layer, part.neurons.rows)
    if length(part.input_rows) and layer.sources != (NETWORK_INPUT,):
        read = output_rows(layer, part.input_rows)
        rows = (min(rows[0], read[0]), max(rows[1], read[1]))
    values = length(part.neurons.channels) * length(rows) * layer.product_shape[2]
    return values * steps * chip.precision.gradient


def dY_through_dram(
    layer: Layer, steps: int, parts: list[Slice], chip: ChipConfig, operand_bits: int
) -> bool:
    """Whether dY goes through DRAM: if no sample of it fits a core, or if that costs fewer bytes.

    A dW that does not fit the accumulators comes and goes once a block of samples while dY is in
    the core; from DRAM, dY is read twice and the inputs once a part of dW that fits, but dW leaves
    once.
    """
    held = max(dY_bits(layer, steps, part, chip) for part in parts)
    if held > chip.core.memory.gradients:
        return True
    kept = through = 0
    for part in parts:
        rows = length(product_rows(layer, part.neurons.rows))
        values = rows * layer.product_shape[2] * length(part.neurons.channels) * steps
        values *= length(part.neurons.samples)
        kept += weight_gradient_bits(layer, steps, part, chip, operand_bits, held)
        through += weight_gradient_bits(layer, steps, part, chip, operand_bits, 0)
        through += 3 * values * chip.precision.gradient
    return through < kept


def weight_gradient_bits(
    layer: Layer, steps: int, part: Slice, chip: ChipConfig, operand_bits: int, held: int
) -> int:
    """Bits of inputs, and of dW that does not fit, that WG and who takes up dW after it move.

    ``held`` bits of dY a sample are in the core; 0 if dY comes from DRAM.
    """
    memory = chip.core.memory
    channels, _, width = layer.in_shape
    samples = length(part.neurons.samples)
    rows = length(input_rows(layer, product_rows(layer, part.neurons.rows)))
    inputs = channels * rows * width * steps * samples * operand_bits
    dw = length(part.neurons.channels) * prod(layer.weight_shape[1:]) * chip.precision.partial_sum
    if dw <= memory.accumulators:
        return inputs
    passes = ceil_div(dw, memory.accumulators)
    if not held:
        return inputs * passes + 2 * dw
    blocks = ceil_div(samples, max(1, memory.gradients // 2 // held))
    pieces = max(blocks, ceil_div(inputs, memory.spikes // 2))  # double buffer
    return min(inputs * passes + 2 * blocks * dw, inputs + 2 * pieces * dw)
