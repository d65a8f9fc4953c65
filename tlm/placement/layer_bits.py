"""Bits that the slices of a layer move from and to DRAM, by phase, given what stays in the cores.

What is left out: the burst length, padding to whole bytes, and what is trained beside the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from tlm.counts.blocks import block_shape
from tlm.placement.laid_layer import LaidLayer
from tlm.placement.neuron_bits import neuron_bits
from tlm.placement.profile import Profile
from tlm.placement.slice_bits import (
    stored_channels,
    weight_gradient_bits,
)
from tlm.placement.slice_cycles import block_counts, gradient_pieces
from tlm.placement.target import Target
from tlm.space.array_types import Floats, Ints
from tlm.space.geometry import product_rows
from tlm.space.layer_cut import LayerStores
from tlm.space.region import Span, length
from tlm.space.rounding import ceil_each


@dataclass(frozen=True, slots=True)
class LayerBits:
    """Bits [slice] by phase, ``update`` [grid] of all slices.

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
    update: Ints


def layer_bits(laid: LaidLayer, group: int) -> LayerBits:
    """What every slice moves; weights are fetched again for every ``group`` of samples."""
    profile, slices, stores, target = laid.profile, laid.slices, laid.stores, laid.target
    fp, bp, wg = _forward_bits(laid, group), _backward_bits(laid, group), _gradient_bits(laid)
    share = slices.neurons / slices.each(slices.total(slices.neurons))
    again = laid.flags(lambda kept: kept.state == "recompute") * (not profile.waits_for_batch)
    if again.any():
        read = _inputs(laid) * _input_padding(profile, target) + _weights(laid, "fp")
        again = again * (read + profile.added_bits * share)
    each = {kept: neuron_bits(profile, kept, target) for kept in set(stores)}
    update = {kept: _update_bits(profile, kept, target) for kept in set(stores)}

    def shared(phase: str) -> Floats:
        return slices.each([getattr(each[kept], phase) for kept in stores]) * share

    sums = np.minimum(_left_bits(laid), wg)
    return LayerBits(
        fp=fp + shared("fp"),
        norm=shared("norm"),
        again=again.astype(np.float64),
        grad=shared("grad"),
        norm_grad=shared("norm_grad"),
        bp=bp,
        wg=wg - sums + shared("wg"),
        first=_first_bits(laid) * laid.flags(lambda kept: kept.inputs == "dram"),
        sums=sums,
        update=np.array([update[kept] for kept in stores]),
    )


def _inputs(laid: LaidLayer) -> Ints:
    """Bits of all inputs that every slice reads."""
    return laid.sample_inputs * laid.slices.samples


def _weights(laid: LaidLayer, engine: str) -> Ints:
    """Bits that an engine reads of a slice's weights, if they come from DRAM."""
    weights = laid.profile.weights
    words = laid.slices.by_channels(lambda channels: weights.words(engine, channels))
    width = laid.target.chip.precision.weight
    return words * width * laid.flags(lambda kept: kept.W == "dram")


def _left_bits(laid: LaidLayer) -> Floats:
    """Bits of a slice's dW that WG leaves in DRAM, if it has any."""
    live, weights = laid.profile.live_steps, laid.profile.weights
    some = laid.slices.by_samples(lambda samples: live[slice(*samples)].any())
    left = laid.flags(lambda kept: kept.dW == "dram") & some
    count = laid.slices.by_channels(weights.count)
    return (count * laid.target.chip.precision.partial_sum * left).astype(np.float64)


def _fetched(
    laid: LaidLayer, engine: str, group: int, plane: tuple[Ints, int, int], operands: Ints
) -> Ints:
    """Bits of weights: once what is kept, or what buffer or stage hold; the rest once per block,
    or ``operands`` are. Blocks are of ``plane``: rows, steps, columns.
    """
    memory, samples = laid.target.chip.core.memory, laid.slices.samples
    if laid.profile.held_bits:  # every sample and step has its own
        weights = laid.profile.weights
        words = laid.slices.by_channels(lambda channels: weights.words(engine, channels))
        return words * samples * (laid.profile.steps * laid.profile.held_bits)
    bits, together = _weights(laid, engine), np.minimum(group, samples)
    staged = memory.membrane * 3 // 4 if engine == "fp" else memory.membrane // 2
    lines, steps, width = plane
    streamed = laid.flags(
        lambda kept: (kept.W_forward if engine == "fp" else kept.W_backward) == "dram"
    )
    streamed = streamed & (bits > memory.weights) & (lines > 0)
    if streamed.any():
        positions = laid.target.arrays.positions
        blocks, _ = block_counts(together, lines, (steps, width), positions)
        by_block = np.maximum(0, bits - staged) * (blocks - 1)
        by_operands = operands * together // samples * (ceil_each(bits, staged) - 1)
        bits = bits + streamed * np.minimum(by_block, by_operands)
    return bits * ceil_each(samples, together)


def _forward_bits(laid: LaidLayer, group: int) -> Floats:
    """Bits of weights and inputs that FP reads; those that stay or come over the mesh take none."""
    profile = laid.profile
    read = np.rint(_inputs(laid) * _input_padding(profile, laid.target)).astype(np.int64)
    streamed = read * laid.flags(lambda kept: kept.inputs == "dram")
    network = np.rint((read - streamed) * profile.network_share)
    plane = (laid.product_rows, profile.walked_steps, profile.layer.product_shape[2])
    inputs = np.rint(streamed * _input_passes(laid))
    return np.asarray(inputs + network + _fetched(laid, "fp", group, plane, streamed))


def _backward_bits(laid: LaidLayer, group: int) -> Floats:
    """Bits of weights, masks and dY that BP reads."""
    profile, slices = laid.profile, laid.slices
    lines = slices.input_rows
    if not profile.has_bp or not lines.any():
        return np.zeros(len(lines))
    streamed = laid.sample_gradients * slices.samples * laid.flags(lambda kept: kept.dY == "dram")
    plane = (lines, profile.steps, profile.layer.in_shape[2])
    masks = np.rint(_mask_bits(laid) * _input_padding(profile, laid.target))
    fetched = _fetched(laid, "bp", group, plane, streamed)
    return np.asarray((lines > 0) * (streamed + fetched + masks))


def _gradient_bits(laid: LaidLayer) -> Floats:
    """Bits of inputs that WG reads, and of its dW."""
    profile, slices, stores, chip = laid.profile, laid.slices, laid.stores, laid.target.chip
    steps, index = profile.input_steps, _index_bits(laid)
    inputs = np.rint(_inputs(laid) * _input_padding(profile, laid.target))
    live = slices.by_samples(lambda samples: profile.live_share(samples, steps))
    inputs = np.rint(inputs * live)
    held = laid.sample_gradients * laid.flags(lambda kept: kept.dY == "memory")
    half = slices.each([kept.dY_room // 2 for kept in stores])
    together = np.where(held > 0, np.maximum(1, half // np.maximum(1, held)), slices.samples)
    moved = weight_gradient_bits(profile.weights, steps, slices, chip, profile.read_bits, held)
    moved = np.rint(moved * laid.live(together))
    stays = laid.flags(lambda kept: kept.dW == "memory")
    return np.asarray(np.where(stays, inputs, moved) + index + _held_gradient_bits(laid))


def _held_gradient_bits(laid: LaidLayer) -> Floats:
    """Bits of dM that WG of a matmul leaves, of every pair that is not skipped."""
    profile, slices, precision = laid.profile, laid.slices, laid.target.chip.precision
    if not profile.held_bits:
        return np.zeros(len(slices.samples))
    words = slices.by_channels(lambda channels: profile.weights.words("wg", channels))
    bands = slices.each([grid.split.spatial > 1 for grid in slices.grids])
    live = profile.live_steps
    pairs = slices.by_samples(lambda samples: live[slice(*samples)].sum())
    widths = np.where(bands, precision.partial_sum, precision.gradient)
    return np.asarray(words * pairs * widths, np.float64)


def _index_bits(laid: LaidLayer) -> Floats:
    """Bits of the index that WG reads with every piece, where it comes from DRAM."""
    words = laid.slices.by_channels(laid.profile.weights.index_words)
    words = words * laid.flags(lambda kept: kept.W == "dram")
    if not words.any():
        return np.zeros(len(words))
    width = laid.target.chip.precision.weight
    return np.asarray(np.rint(words * width * gradient_pieces(laid)))


def _input_padding(profile: Profile, target: Target) -> float:
    """What whole groups of channels add to the inputs of a convolution, as a factor."""
    channels = profile.layer.in_shape[0]
    if profile.layer.kind != "conv":
        return 1.0
    return stored_channels(channels, target.arrays.tile) / channels


def _mask_bits(laid: LaidLayer) -> Floats:
    """Bits of the masks that say which dS a slice's sources need, and of gates."""
    engine, layer = laid.target.chip.core.engines.bp, laid.profile.layer
    lines = laid.slices.input_rows
    each = laid.profile.gate_bits
    if engine.mode != "dense" and engine.skip_outputs:
        each += laid.profile.m_read
    pool, live = layer.input_pool, laid.profile.live_steps
    plane = layer.in_shape[0] * layer.in_shape[2] * (1 if pool is None else prod(pool.stride))
    pairs = laid.slices.by_samples(lambda samples: live[slice(*samples)].sum())
    return np.asarray(lines * plane * pairs * each, np.float64)


def _update_bits(profile: Profile, stores: LayerStores, target: Target) -> int:
    """Bits that the update of all weights moves: of weights and moments that do not stay."""
    each = target.chip.precision.weight * (stores.W == "dram")
    each += profile.moment_bits * (stores.moments == "dram")
    weights, chip = profile.weights, target.chip
    channels = (0, profile.layer.product_channels)
    tables = weights.all_words(channels) - weights.total
    rewired = round(tables * chip.core.weights.rewired) * chip.precision.weight
    return 2 * (weights.total * each + rewired * (stores.W == "dram"))


def _first_block(profile: Profile, rows: Span, target: Target) -> tuple[int, int]:
    """Samples of the first block of FP, and bits of the inputs of one of them."""
    layer = profile.layer
    samples, lines, steps = block_shape(
        1, length(product_rows(layer, rows)), profile.walked_steps, layer.product_shape[2],
        target.arrays.positions,
    )  # fmt: skip
    between = min(layer.in_shape[1], (lines - 1) * layer.stride[0] + layer.extent[0])
    window = layer.in_shape[0] * between * layer.in_shape[2] * min(steps, profile.input_steps)
    return samples, window * profile.operand_bits


def _first_blocks(laid: LaidLayer) -> Ints:
    """The same [samples or bits, slice]."""
    profile, target = laid.profile, laid.target
    return laid.slices.by_rows(lambda rows: _first_block(profile, rows, target)).T


def _first_bits(laid: LaidLayer) -> Floats:
    """Bits of the inputs of the first block of FP."""
    samples, each = _first_blocks(laid)
    each = each * laid.profile.layer.multiplies
    return np.asarray(np.minimum(samples, laid.slices.samples) * each, np.float64)


def _input_passes(laid: LaidLayer) -> Floats:
    """How often FP reads its inputs: once an output tile in blocks where not even these fit."""
    slices, (most, each) = laid.slices, _first_blocks(laid)
    fit = slices.each([kept.input_room for kept in laid.stores]) // each  # samples of a block
    tiles = ceil_each(slices.channels, laid.target.arrays.tile)
    left = slices.samples % most
    whole = slices.samples - left
    passes = whole * np.where(most <= fit, 1, tiles) + left * np.where(left <= fit, 1, tiles)
    return np.asarray(passes / slices.samples)
