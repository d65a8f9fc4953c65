"""Bits that a layer moves from and to DRAM of its neurons: U, spikes, Y and dY, by phase."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from tlm.placement.profile import Profile
from tlm.placement.slice_bits import saved_bits, stored_channels
from tlm.placement.target import Target
from tlm.space.layer_cut import LayerStores


@dataclass(slots=True)
class NeuronBits:
    """Bits by phase of what is there once a neuron, product or dS."""

    fp: float = 0.0
    norm: float = 0.0
    grad: float = 0.0
    norm_grad: float = 0.0
    wg: float = 0.0


def neuron_bits(profile: Profile, stores: LayerStores, target: Target) -> NeuronBits:
    """Those of a layer, given what stays of it."""
    layer, precision, bits = profile.layer, target.chip.precision, NeuronBits()
    pairs = float(profile.batch * profile.steps)
    pairs *= stored_channels(layer.out_shape[0], target.arrays.tile) / layer.out_shape[0]
    products, neurons = prod(layer.product_shape) * pairs, prod(layer.out_shape) * pairs
    state = saved_bits(layer, precision.membrane)
    state -= "m" in layer.saved_state and not profile.has_m
    spilled = neurons * state * (stores.state == "spill")
    left, bits.grad = spilled, spilled
    if profile.output_read and (layer.pool is not None or not spilled) and stores.S == "dram":
        flags = profile.has_m * profile.learns * profile.has_readers
        left += prod(layer.pooled_shape) * pairs * (flags + profile.output_bits)
    left += profile.added_bits + neurons * precision.membrane * (profile.current_adders > 0)
    bits.grad += profile.returned_bits
    if stores.dI == "dram" and (layer.added or profile.waits_for_batch):
        bits.grad += neurons * precision.gradient
    if stores.U == "dram":
        left += 2 * neurons * layer.state_words * precision.membrane
    dY = products * precision.gradient * (stores.dY == "dram")  # BP and WG read it by slices
    bits.wg = dY
    if not profile.waits_for_batch:
        bits.fp = left
        bits.grad += dY + neurons * precision.gradient * bool(layer.added)
        return bits
    bits.norm, bits.norm_grad = left, dY
    if stores.Y == "dram":
        Y = products * precision.membrane
        bits.fp = Y
        bits.norm += Y * (stores.Y_forward == "dram")
        bits.grad += Y * (stores.state == "recompute")  # U follows from it
        bits.norm_grad += Y * (stores.Y_backward == "dram")
    bits.grad += profile.added_bits * (stores.state == "recompute")
    if stores.dI == "dram":
        bits.grad += neurons * precision.gradient
        bits.norm_grad += neurons * precision.gradient
    return bits
