"""Bits of slices: their inputs and dY, and what WG moves of them and of dW."""

from __future__ import annotations

import numpy as np

from tlm.config.chip import ChipConfig
from tlm.counts.layer_weights import LayerWeights
from tlm.placement.slices import Slices
from tlm.space.array_types import Bools, Ints
from tlm.space.geometry import input_rows, output_rows, product_rows
from tlm.space.region import Slice, Span, length
from tlm.space.rounding import ceil_div, ceil_each
from tlm.workload.model import Layer


def saved_bits(layer: Layer, membrane: int) -> int:
    """Bits of what BP needs of a neuron's step: U as wide as ``membrane``, S and m a bit each."""
    return sum(membrane if name == "U" else 1 for name in layer.saved_state)


def input_bits(layer: Layer, part: Slice, samples: int, steps: int, operand_bits: int) -> int:
    """Bits of the inputs that some samples of a slice read, all steps."""
    return _row_inputs(layer, part.neurons.rows) * samples * steps * operand_bits


def inputs_bits(layer: Layer, slices: Slices, steps: int, operand_bits: int) -> Ints:
    """Bits of the inputs that one sample of every slice reads, all steps."""
    return slices.by_rows(lambda rows: _row_inputs(layer, rows)) * (steps * operand_bits)


def _row_inputs(layer: Layer, rows: Span) -> int:
    """Inputs of a sample and step that some rows of neurons read."""
    channels, _, width = layer.in_shape
    return channels * length(input_rows(layer, product_rows(layer, rows))) * width


def dY_bits(layer: Layer, steps: int, part: Slice, chip: ChipConfig) -> int:
    """Bits of the dY of one sample and all steps that a slice holds: its own and BP's halo."""
    held = _row_gradients(layer, part.neurons.rows, part.input_rows)
    return length(part.neurons.channels) * held * steps * chip.precision.gradient


def gradients_bits(layer: Layer, steps: int, slices: Slices, chip: ChipConfig) -> Ints:
    """The same of every slice."""
    held = slices.by_band(lambda rows, input_rows: _row_gradients(layer, rows, input_rows))
    return slices.channels * held * (steps * chip.precision.gradient)


def _row_gradients(layer: Layer, rows: Span, input_rows: Span) -> int:
    """The dY of a channel, sample and step that some rows of neurons, and of BP, need."""
    rows = product_rows(layer, rows)
    if length(input_rows) and layer.producers:
        read = output_rows(layer, input_rows)
        rows = (min(rows[0], read[0]), max(rows[1], read[1]))
    return length(rows) * layer.product_shape[2]


def largest_dY_bits(layer: Layer, steps: int, parts: list[Slice], chip: ChipConfig) -> int:
    """Bits of the dY of one sample and all steps in the slice that holds the most of it."""
    return max(dY_bits(layer, steps, part, chip) for part in parts)


def dY_through_dram(
    weights: LayerWeights, steps: int, slices: Slices, chip: ChipConfig, operand_bits: int
) -> Bools:
    """Whether dY of a grid goes through DRAM [grid]: if no sample of it fits a core, or if that
    costs fewer bytes.

    A dW that does not fit the accumulators comes and goes once a block of samples while dY is in
    the core; from DRAM, dY is read twice and the inputs once a part of dW that fits, but dW leaves
    once.
    """
    layer = weights.layer
    held = slices.largest(gradients_bits(layer, steps, slices, chip))
    rows = slices.by_rows(lambda rows: length(product_rows(layer, rows)))
    values = rows * slices.channels * slices.samples * (layer.product_shape[2] * steps)
    moved = (weights, steps, slices, chip, operand_bits)
    comes = ~_dW_waits(weights, slices, chip)
    kept = comes * weight_gradient_bits(*moved, slices.each(held))
    through = comes * weight_gradient_bits(*moved, np.zeros_like(kept))
    through += 3 * values * chip.precision.gradient
    cheaper = slices.total(through) < slices.total(kept)
    return np.asarray((held > chip.core.memory.gradients) | cheaper)


def _dW_waits(weights: LayerWeights, slices: Slices, chip: ChipConfig) -> Bools:
    """Whether dW of a slice fits the accumulators beside that of the layer above."""
    dW = slices.by_channels(weights.count) * chip.precision.partial_sum
    return np.asarray(2 * dW <= chip.core.memory.kept("accumulators"))


def stored_channels(channels: int, group: int) -> int:
    """Channels of a tensor in DRAM, which holds whole groups if there is more than one."""
    return channels if channels <= group else ceil_div(channels, group) * group


def weight_gradient_bits(
    weights: LayerWeights, steps: int, slices: Slices, chip: ChipConfig, operand_bits: int,
    held: Ints,
) -> Ints:  # fmt: skip
    """Bits of inputs, and of dW that does not fit, that WG and who takes up dW after it move.

    ``held`` bits [slice] of dY a sample are in the core; 0 if dY comes from DRAM.
    """
    memory, samples = chip.core.memory, slices.samples
    inputs = inputs_bits(weights.layer, slices, steps, operand_bits) * samples
    dW = slices.by_channels(weights.count) * chip.precision.partial_sum
    passes = ceil_each(dW, memory.accumulators)
    block = np.maximum(1, memory.gradients // 2 // np.maximum(1, held))
    blocks = ceil_each(samples, block)
    pieces = np.maximum(blocks, ceil_each(inputs, memory.spikes // 2))  # double buffer
    in_core = np.minimum(inputs * passes + 2 * blocks * dW, inputs + 2 * pieces * dW)
    return np.where(held == 0, inputs * passes + 2 * dW, in_core)
