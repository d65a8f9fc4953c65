"""What stays of a layer by itself: its grids are compared before the other layers have theirs."""

from __future__ import annotations

from math import prod

import numpy as np

from tlm.config.chip import ChipConfig
from tlm.placement.profile import Profile
from tlm.placement.slice_bits import dY_through_dram, gradients_bits, inputs_bits, saved_bits
from tlm.placement.slices import Slices
from tlm.space.array_types import Ints
from tlm.space.layer_cut import LayerStores, Store


def stores_alone(profile: Profile, slices: Slices, chip: ChipConfig) -> list[LayerStores]:
    """What stays of a layer by itself [grid]: others take half of every memory, but not for its
    turns.
    """
    layer, precision, memory = profile.layer, chip.precision, chip.core.memory
    pairs, bits, weights = profile.batch * profile.steps, precision.gradient, profile.weights
    products, neurons = prod(layer.product_shape) * pairs, prod(layer.out_shape) * pairs
    most = slices.largest(slices.by_channels(weights.count))
    inputs = inputs_bits(layer, slices, profile.steps, profile.operand_bits) * slices.samples
    places = slices.largest(slices.by_channels(weights.all_words))
    currents = products * precision.membrane // slices.parts
    chosen = chip.mapping.parameters == "auto" and layer.weighted

    def stays(kind: str, size: Ints, wanted: bool = True, share: int = 2) -> list[Store]:
        fits = share * size <= memory.kept(kind)
        return ["memory" if fit and wanted else "dram" for fit in fits.tolist()]

    def words(engine: str) -> Ints:
        return slices.largest(slices.by_channels(lambda span: weights.words(engine, span)))

    dW, room = stays("accumulators", most * precision.partial_sum), memory.gradients
    two = 2 * slices.largest(gradients_bits(layer, profile.steps, slices, chip))
    pooled = np.zeros(len(dW), np.bool_)
    if memory.sharing == "pool":
        fits = (two > 2 * room) & (two - room <= memory.kept("gradients"))
        pooled = fits & [store == "memory" for store in dW]
    through = dY_through_dram(weights, profile.steps, slices, chip, profile.operand_bits)
    through &= ~pooled  # samples alternate in the pool
    wish = chip.mapping.state
    state = stays("membrane", neurons * saved_bits(layer, precision.membrane) // slices.parts)
    inputs_stay = stays("spikes", slices.largest(inputs), profile.has_bp and layer.held is None)
    Y, Y_once = stays("batch_norm", currents), stays("batch_norm", currents, share=1)
    dS = stays("spike_gradients", profile.returned * bits // slices.parts)
    dY_room = np.where(pooled, two, room).tolist()
    W = stays("optimizer", places * precision.weight, chosen)
    W_forward = stays("optimizer", words("fp") * precision.weight, chosen, share=1)
    W_backward = stays("optimizer", words("bp") * precision.weight, chosen, share=1)
    moments = stays("optimizer", most * profile.moment_bits // slices.parts, chosen)
    return [
        LayerStores(
            inputs=inputs_stay[at],
            S="dram",
            Y=Y[at],
            Y_forward=Y_once[at],
            Y_backward=Y_once[at],
            dI="dram" if layer.added else Y_once[at],
            U="memory",
            dS=dS[at],
            dY="dram" if through[at] else "memory",
            dY_room=dY_room[at],
            input_room=memory.kept("spikes"),
            dY_rows_room=memory.gradients,
            dW=dW[at],
            W=W[at],
            W_forward=W_forward[at],
            W_backward=W_backward[at],
            moments=moments[at],
            state=("keep" if state[at] == "memory" else "spill") if wish == "auto" else wish,
        )
        for at in range(len(dW))
    ]
