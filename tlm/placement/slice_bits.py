"""Bits of a slice: its inputs and dY, and what WG moves of them and of dW."""

from __future__ import annotations

from tlm.config.chip import ChipConfig
from tlm.counts.layer_weights import LayerWeights
from tlm.space.geometry import input_rows, output_rows, product_rows
from tlm.space.region import Slice, length
from tlm.space.rounding import ceil_div
from tlm.workload.model import NETWORK_INPUT, Layer

FLAGS = 2  # bits of S and m of a neuron, beside its U


def input_bits(layer: Layer, part: Slice, samples: int, steps: int, operand_bits: int) -> int:
    """Bits of the inputs that some samples of a slice read, all steps."""
    channels, _, width = layer.in_shape
    rows = input_rows(layer, product_rows(layer, part.neurons.rows))
    return channels * length(rows) * width * samples * steps * operand_bits


def dY_bits(layer: Layer, steps: int, part: Slice, chip: ChipConfig) -> int:
    """Bits of the dY of one sample and all steps that a slice holds: its own and BP's halo."""
    rows = product_rows(layer, part.neurons.rows)
    if length(part.input_rows) and layer.sources != (NETWORK_INPUT,):
        read = output_rows(layer, part.input_rows)
        rows = (min(rows[0], read[0]), max(rows[1], read[1]))
    values = length(part.neurons.channels) * length(rows) * layer.product_shape[2]
    return values * steps * chip.precision.gradient


def largest_dY_bits(layer: Layer, steps: int, parts: list[Slice], chip: ChipConfig) -> int:
    """Bits of the dY of one sample and all steps in the slice that holds the most of it."""
    return max(dY_bits(layer, steps, part, chip) for part in parts)


def dY_through_dram(
    weights: LayerWeights, steps: int, parts: list[Slice], chip: ChipConfig, operand_bits: int
) -> bool:
    """Whether dY goes through DRAM: if no sample of it fits a core, or if that costs fewer bytes.

    A dW that does not fit the accumulators comes and goes once a block of samples while dY is in
    the core; from DRAM, dY is read twice and the inputs once a part of dW that fits, but dW leaves
    once.
    """
    layer = weights.layer
    held = largest_dY_bits(layer, steps, parts, chip)
    if held > chip.core.memory.gradients:
        return True
    kept = through = 0
    for part in parts:
        rows = length(product_rows(layer, part.neurons.rows))
        values = rows * layer.product_shape[2] * length(part.neurons.channels) * steps
        values *= length(part.neurons.samples)
        if not _dW_waits(weights, part, chip):
            kept += weight_gradient_bits(weights, steps, part, chip, operand_bits, held)
            through += weight_gradient_bits(weights, steps, part, chip, operand_bits, 0)
        through += 3 * values * chip.precision.gradient
    return through < kept


def _dW_waits(weights: LayerWeights, part: Slice, chip: ChipConfig) -> bool:
    """Whether dW of a slice fits the accumulators beside that of the layer above."""
    dW = weights.count(part.neurons.channels) * chip.precision.partial_sum
    return 2 * dW <= chip.core.memory.kept("accumulators")


def stored_channels(channels: int, group: int) -> int:
    """Channels of a tensor in DRAM, which holds whole groups if there is more than one."""
    return channels if channels <= group else ceil_div(channels, group) * group


def weight_gradient_bits(
    weights: LayerWeights, steps: int, part: Slice, chip: ChipConfig, operand_bits: int, held: int
) -> int:
    """Bits of inputs, and of dW that does not fit, that WG and who takes up dW after it move.

    ``held`` bits of dY a sample are in the core; 0 if dY comes from DRAM.
    """
    memory = chip.core.memory
    samples = length(part.neurons.samples)
    inputs = input_bits(weights.layer, part, samples, steps, operand_bits)
    dW = weights.count(part.neurons.channels) * chip.precision.partial_sum
    passes = ceil_div(dW, memory.accumulators)
    if not held:
        return inputs * passes + 2 * dW
    blocks = ceil_div(samples, max(1, memory.gradients // 2 // held))
    pieces = max(blocks, ceil_div(inputs, memory.spikes // 2))  # double buffer
    return min(inputs * passes + 2 * blocks * dW, inputs + 2 * pieces * dW)
