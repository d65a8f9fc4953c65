"""Bits that the slices of a layer move from and to DRAM, by phase, given what stays in the cores.

What is left out: the burst length, padding to whole bytes, and what is trained beside the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from tlm.counts.blocks import block_shape, block_sizes
from tlm.placement.profile import Profile
from tlm.placement.slice_bits import (
    dY_bits,
    input_bits,
    stored_channels,
    weight_gradient_bits,
)
from tlm.placement.slice_cycles import gradient_pieces
from tlm.placement.target import Target
from tlm.space.array_types import Floats
from tlm.space.geometry import product_rows
from tlm.space.layer_cut import LayerStores, Store
from tlm.space.region import Slice, length
from tlm.space.rounding import ceil_div


@dataclass(frozen=True, slots=True)
class LayerBits:
    """Bits [slice] by phase, ``update`` of all slices.

    ``again`` are those that FP moves to make U again for BP. ``first`` are among FP's: the inputs
    of its first block. ``sums`` are of dW that WG has left in DRAM: read to be added up.
    """

    fp: Floats
    norm: Floats
    again: Floats
    grad: Floats
    norm_grad: Floats
    bp: Floats
    wg: Floats
    first: Floats
    sums: Floats
    update: int


def layer_bits(
    profile: Profile, parts: list[Slice], stores: LayerStores, target: Target, group: int
) -> LayerBits:
    """What every slice moves; weights are fetched again for every ``group`` of samples."""
    fp, bp, wg = (
        np.array(bits, np.float64)
        for bits in zip(
            *(_slice_bits(profile, part, stores, target, group) for part in parts), strict=True
        )
    )
    again = np.zeros(len(parts))
    if stores.state == "recompute" and not profile.waits_for_batch:
        again = _walked(profile, parts, stores, target)
    sizes = np.array([part.neurons.size for part in parts], np.float64)
    each = _neuron_bits(profile, stores, target)
    share = sizes / sizes.sum()
    left = np.array([_left_bits(profile, part, stores, target) for part in parts], np.float64)
    sums = np.minimum(left, wg)
    return LayerBits(
        fp=fp + each.fp * share,
        norm=each.norm * share,
        again=again,
        grad=each.grad * share,
        norm_grad=each.norm_grad * share,
        bp=bp,
        wg=wg - sums + each.wg * share,
        first=np.array([_block_bits(profile, part, target) for part in parts], np.float64)
        * (stores.inputs == "dram"),
        sums=sums,
        update=_update_bits(profile, stores, target),
    )


@dataclass(slots=True)
class _NeuronBits:
    """Bits by phase of what is there once a neuron, product or dS."""

    fp: float = 0.0
    norm: float = 0.0
    grad: float = 0.0
    norm_grad: float = 0.0
    wg: float = 0.0


def _walked(profile: Profile, parts: list[Slice], stores: LayerStores, target: Target) -> Floats:
    """Bits of inputs and weights that a second walk of FP reads."""
    return np.array(
        [
            input_bits(
                profile.layer, part, length(part.neurons.samples), profile.input_steps,
                profile.read_bits,
            ) * _input_padding(profile, target)
            + _weight_bits(profile, part, stores, target, "fp")
            for part in parts
        ],
        np.float64,
    )  # fmt: skip


def _weight_bits(
    profile: Profile, part: Slice, stores: LayerStores, target: Target, engine: str
) -> int:
    """Bits that an engine reads of a slice's weights, if they come from DRAM."""
    words = profile.weights.words(engine, part.neurons.channels)
    return words * target.chip.precision.weight * (stores.W == "dram")


def _left_bits(profile: Profile, part: Slice, stores: LayerStores, target: Target) -> int:
    """Bits of a slice's dW that WG leaves in DRAM, if it has any."""
    left = stores.dW == "dram" and profile.live_steps[slice(*part.neurons.samples)].any()
    count = profile.weights.count(part.neurons.channels)
    return count * target.chip.precision.partial_sum * bool(left)


def _neuron_bits(profile: Profile, stores: LayerStores, target: Target) -> _NeuronBits:
    layer, precision, bits = profile.layer, target.chip.precision, _NeuronBits()
    pairs = float(profile.batch * profile.steps)
    pairs *= stored_channels(layer.out_shape[0], target.arrays.tile) / layer.out_shape[0]
    products, neurons = prod(layer.product_shape) * pairs, prod(layer.out_shape) * pairs
    spilled = neurons * (precision.membrane + 1 + profile.has_m) * (stores.state == "spill")
    left, bits.grad = spilled, spilled
    if profile.has_readers and (layer.pool is not None or not spilled) and stores.S == "dram":
        flags = profile.has_m * profile.learns
        left += prod(layer.pooled_shape) * pairs * (flags + profile.output_bits)
    if stores.U == "dram":
        left += 2 * neurons * layer.state_words * precision.membrane
    dY = products * precision.gradient * (stores.dY == "dram")  # BP and WG read it by slices
    bits.wg = dY
    if not profile.waits_for_batch:
        bits.fp = left
        bits.grad += dY
        return bits
    bits.norm, bits.norm_grad = left, dY
    if stores.Y == "dram":
        Y = products * precision.membrane
        bits.fp = Y
        bits.norm += Y * (stores.Y_forward == "dram")
        bits.grad += Y * (stores.state == "recompute")  # U follows from it
        bits.norm_grad += Y * (stores.Y_backward == "dram")
    if stores.dI == "dram":
        bits.grad += neurons * precision.gradient
        bits.norm_grad += neurons * precision.gradient
    return bits


def _slice_bits(
    profile: Profile, part: Slice, stores: LayerStores, target: Target, group: int
) -> tuple[int, int, int]:
    """Bits of weights, inputs, masks and dY that one slice reads in FP, BP and WG, and of its dW.

    Weights that stay, and inputs that come over the mesh, take none.
    """
    chip, layer, memory = target.chip, profile.layer, target.chip.core.memory
    samples, rows = length(part.neurons.samples), length(product_rows(layer, part.neurons.rows))
    padding = _input_padding(profile, target)
    inputs = input_bits(layer, part, samples, profile.input_steps, profile.read_bits)
    inputs = round(inputs * padding)

    def fetched(engine: str, staged: int, plane: tuple[int, int, int], operands: int) -> int:
        """Weights: once what is ``kept``, or what buffer or stage hold; the rest once per block, or
        ``operands`` are. Blocks are of ``plane``: rows, steps, columns.
        """
        weights = _weight_bits(profile, part, stores, target, engine)
        together, bits = min(group, samples), weights
        kept: Store = getattr(stores, {"fp": "W_forward", "bp": "W_backward"}[engine])
        if weights > memory.weights and kept == "dram":
            sizes = block_sizes(together, *plane, target.arrays.positions)
            by_block = max(0, weights - staged) * (sum(count for _, count in sizes) - 1)
            sweeps = ceil_div(weights, staged)
            bits += min(by_block, operands * together // samples * (sweeps - 1))
        return bits * ceil_div(samples, together)

    streamed = inputs if stores.inputs == "dram" else 0
    fp = round(streamed * _input_passes(profile, part, stores, target)) + fetched(
        "fp",
        memory.membrane * 3 // 4,
        (rows, profile.walked_steps, layer.product_shape[2]),
        streamed,
    )
    bp, dY = 0, dY_bits(layer, profile.steps, part, chip)
    returned, width = length(part.input_rows), layer.in_shape[2]
    if profile.has_bp and returned:
        streamed = dY * samples if stores.dY == "dram" else 0
        bp = streamed + fetched(
            "bp", memory.membrane // 2, (returned, profile.steps, width), streamed
        )
        bp += round(_mask_bits(profile, part, target) * padding)
    inputs = round(inputs * profile.live_share(part.neurons.samples, profile.input_steps))
    held = 0 if stores.dY == "dram" else dY
    index = _index_bits(profile, part, stores, target)
    if stores.dW == "memory":
        return fp, bp, inputs + index
    wg = weight_gradient_bits(
        profile.weights, profile.input_steps, part, chip, profile.read_bits, held
    )
    together = max(1, stores.dY_room // 2 // held) if held else samples
    return fp, bp, round(wg * profile.live_blocks(part.neurons.samples, together)) + index


def _index_bits(profile: Profile, part: Slice, stores: LayerStores, target: Target) -> int:
    """Bits of the index that WG reads with every piece, where it comes from DRAM."""
    words = profile.weights.index_words(part.neurons.channels) * (stores.W == "dram")
    if not words:
        return 0
    pieces = gradient_pieces(profile, part, (stores, target.chip, target.arrays))
    return round(words * target.chip.precision.weight * pieces)


def _input_padding(profile: Profile, target: Target) -> float:
    """What whole groups of channels add to the inputs of a convolution, as a factor."""
    channels = profile.layer.in_shape[0]
    if profile.layer.kind != "conv":
        return 1.0
    return stored_channels(channels, target.arrays.tile) / channels


def _mask_bits(profile: Profile, part: Slice, target: Target) -> int:
    """Bits of the masks that say which dS a slice's sources need."""
    engine, layer = target.chip.core.engines.bp, profile.layer
    if engine.mode == "dense" or not engine.skip_outputs:
        return 0
    plane = layer.in_shape[0] * length(part.input_rows) * layer.in_shape[2]
    pool = layer.input_pool
    plane *= 1 if pool is None else pool.stride**2
    pairs = int(profile.live_steps[slice(*part.neurons.samples)].sum())
    return plane * pairs * profile.m_read


def _update_bits(profile: Profile, stores: LayerStores, target: Target) -> int:
    """Bits that the update of all weights moves: of weights and moments that do not stay."""
    each = target.chip.precision.weight * (stores.W == "dram")
    each += profile.moment_bits * (stores.moments == "dram")
    weights, chip = profile.weights, target.chip
    channels = (0, profile.layer.product_channels)
    tables = weights.all_words(channels) - weights.total
    rewired = round(tables * chip.core.weights.rewired) * chip.precision.weight
    return 2 * (weights.total * each + rewired * (stores.W == "dram"))


def _first_block(profile: Profile, part: Slice, target: Target) -> tuple[int, int]:
    """Samples of the first block of FP, and bits of the inputs of one of them."""
    layer, rows = profile.layer, length(product_rows(profile.layer, part.neurons.rows))
    samples, rows, steps = block_shape(
        length(part.neurons.samples), rows, profile.walked_steps, layer.product_shape[2],
        target.arrays.positions,
    )  # fmt: skip
    between = min(layer.in_shape[1], (rows - 1) * layer.stride[0] + layer.kernel[0])
    window = layer.in_shape[0] * between * layer.in_shape[2] * min(steps, profile.input_steps)
    return samples, window * profile.operand_bits


def _block_bits(profile: Profile, part: Slice, target: Target) -> int:
    """Bits of the inputs of the first block of FP."""
    samples, each = _first_block(profile, part, target)
    return min(samples, length(part.neurons.samples)) * each


def _input_passes(profile: Profile, part: Slice, stores: LayerStores, target: Target) -> float:
    """How often FP reads its inputs: once an output tile in blocks where not even these fit."""
    samples = length(part.neurons.samples)
    most, each = _first_block(profile, part, target)
    fit = stores.input_room // each  # samples of a block that do
    tiles = ceil_div(length(part.neurons.channels), target.arrays.tile)
    whole, left = samples - samples % most, samples % most
    return (whole * (1 if most <= fit else tiles) + left * (1 if left <= fit else tiles)) / samples
