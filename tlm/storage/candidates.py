"""Candidates: what of a layer could stay in the cores, for how long, and what that would save.

A tensor lives from the turn of its first write to that of its last read. Turns are FP layer by
layer, then BP and WG layer by layer back, in which WG may be a layer behind. What a turn uses
several times may stay for that turn alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod

from tlm.placement.slice_bits import input_bits, largest_dY_bits, saved_bits
from tlm.space.region import length
from tlm.storage.budget import CARRY
from tlm.storage.plan import LayerPlan, Plan
from tlm.storage.slice_sizes import arriving_bits, partial_bits, product_count, state_bits
from tlm.storage.sweeps import backward_refetch, forward_refetch
from tlm.storage.windows import backward_room, backward_windows, forward_room, forward_windows

FORWARD = ("inputs", "input_room", "U", "W", "W_forward")  # kinds that FP has, whatever follows


@dataclass(frozen=True, slots=True)
class Resident:
    """A tensor of a layer that could stay: ``kind`` is its name among the layer's stores.

    ``memory`` is where data of its kind stay in a core, ``bits`` are by core, over ``turns``;
    ``saved`` are the bits that DRAM need not move then, at the most. ``includes`` are kinds of the
    same data that stay for one turn, and which.
    """

    kind: str
    layer: int
    memory: str
    bits: dict[int, int]
    turns: range
    saved: int
    includes: dict[str, int] = field(default_factory=dict)

    @property
    def worth(self) -> float:
        """Bits saved for a bit held over a turn."""
        return self.saved / max(1, sum(self.bits.values()) * len(self.turns))


def candidates(plan: Plan) -> Iterator[Resident]:
    """All that the phases of the job could keep; in inference there is only FP."""
    return (each for each in _candidates(plan) if plan.workload.learns or each.kind in FORWARD)


def _candidates(plan: Plan) -> Iterator[Resident]:
    """All that could stay as long as it lives, or in FP of its layer alone, or in BP.

    Where layers share the memories all the time there are no such turns.
    """
    takes_turns = not plan.at_once
    for layer_plan in plan.layers:
        if layer_plan.producers and layer_plan.held is None:
            yield _inputs(plan, layer_plan)
        # What a matmul returns, which its layers read turned round, goes through DRAM.
        if layer_plan.consumers and all(reader.held is None for reader in layer_plan.consumers):
            yield _arriving(plan, layer_plan)
        if layer_plan.exact:
            yield _currents(plan, layer_plan)
            if takes_turns:
                yield from _currents_of_a_turn(plan, layer_plan)
            if not layer_plan.layer.added:
                yield _current_gradients(plan, layer_plan)
        if layer_plan.layer.multiplies:
            yield from _dY(plan, layer_plan)
            if takes_turns and plan.chip.core.memory.sharing == "pool":
                yield from _windows(plan, layer_plan)
        if layer_plan.layer.saved_state:
            yield state(plan, layer_plan)
        if layer_plan.layer.neuron is not None and plan.schedule.by_step:
            yield _carry(plan, layer_plan)
        if not layer_plan.layer.weighted:
            continue
        yield _dW(plan, layer_plan)
        if plan.chip.mapping.parameters == "auto":
            of_a_turn = list(_weights_of_a_turn(plan, layer_plan))
            yield _weights(plan, layer_plan, of_a_turn)
            yield from of_a_turn if takes_turns else ()
            if plan.workload.optimizer == "adam":
                yield _moments(plan, layer_plan)


def _back(plan: Plan, layer_plan: LayerPlan) -> int:
    """The turn of BP and WG of a layer."""
    return 2 * len(plan.layers) - 1 - layer_plan.layer.index


def _pairs(plan: Plan) -> int:
    """(sample, step) pairs of the mini-batch."""
    return plan.workload.batch * plan.steps


def _inputs(plan: Plan, layer_plan: LayerPlan) -> Resident:
    """Inputs come while the producers run and stay until FP has read them."""
    bits, saved = {}, 0
    for part in layer_plan.cut.slices:
        shape = (plan.steps, layer_plan.operand_bits)
        held = plan.schedule.held_samples(part)
        bits[part.core] = input_bits(layer_plan.layer, part, held, *shape)
        saved += input_bits(layer_plan.layer, part, length(part.neurons.samples), *shape)
    index = layer_plan.layer.index
    first = min(producer.layer.index for producer in layer_plan.producers)
    return Resident("inputs", index, "spikes", bits, range(first, index + 1), saved)


def _arriving(plan: Plan, layer_plan: LayerPlan) -> Resident:
    """Partial dS come while the readers run; through DRAM each would be written and read."""
    bits = {part.core: arriving_bits(plan, layer_plan, part) for part in layer_plan.cut.slices}
    each = prod(layer_plan.layer.pooled_shape) * _pairs(plan)
    widths = sum(reader.cut.split.k * partial_bits(plan, reader) for reader in layer_plan.consumers)
    turns = range(_back(plan, layer_plan.consumers[-1]), _back(plan, layer_plan) + 1)
    saved = 2 * each * widths
    return Resident("dS", layer_plan.layer.index, "spike_gradients", bits, turns, saved)


def _currents(plan: Plan, layer_plan: LayerPlan) -> Resident:
    """Y waits for statistics: written, read by NORM, GRAD (U follows from it) and NORM_GRAD."""
    index, back = layer_plan.layer.index, _back(plan, layer_plan)
    bits = _products(plan, layer_plan, plan.chip.precision.membrane)
    saved, turns = 4 * _currents_read(plan, layer_plan), range(index, back + 1)
    includes = {"Y_forward": index, "Y_backward": back}
    return Resident("Y", index, "batch_norm", bits, turns, saved, includes)


def _currents_of_a_turn(plan: Plan, layer_plan: LayerPlan) -> Iterator[Resident]:
    """Y is read again by NORM in FP, and by NORM_GRAD in BP."""
    bits = _products(plan, layer_plan, plan.chip.precision.membrane)
    index, saved = layer_plan.layer.index, _currents_read(plan, layer_plan)
    for kind, turn in (("Y_forward", index), ("Y_backward", _back(plan, layer_plan))):
        yield Resident(kind, index, "batch_norm", bits, range(turn, turn + 1), saved)


def _currents_read(plan: Plan, layer_plan: LayerPlan) -> int:
    """Bits of a read of Y."""
    return prod(layer_plan.layer.product_shape) * _pairs(plan) * plan.chip.precision.membrane


def _current_gradients(plan: Plan, layer_plan: LayerPlan) -> Resident:
    """dL/dI waits for the sums of BP: written, then read."""
    bits, back = _products(plan, layer_plan, plan.chip.precision.gradient), _back(plan, layer_plan)
    saved = 2 * prod(layer_plan.layer.out_shape) * _pairs(plan) * plan.chip.precision.gradient
    index = layer_plan.layer.index
    return Resident("dI", index, "batch_norm", bits, range(back, back + 1), saved)


def _products(plan: Plan, layer_plan: LayerPlan, width: int) -> dict[int, int]:
    """Bits by core of a value of ``width`` for every product of its slice."""
    slices = layer_plan.cut.slices
    return {part.core: product_count(plan, layer_plan, part) * width for part in slices}


def _dY(plan: Plan, layer_plan: LayerPlan) -> Iterator[Resident]:
    """dY of two samples, if one does not fit the gradient memory: WG may be a layer behind.

    Cores with smaller slices have as much room: more of their samples alternate. Else it is written
    once, and read by BP and by WG.
    """
    memory, back = plan.chip.core.memory, _back(plan, layer_plan)
    slices = layer_plan.cut.slices
    held = largest_dY_bits(layer_plan.layer, plan.steps, slices, plan.chip)
    if memory.sharing == "separate" or held <= memory.gradients:
        return
    bits = {part.core: 2 * held - memory.gradients for part in slices}
    products = prod(layer_plan.layer.product_shape) * _pairs(plan)
    saved = (2 + bool(layer_plan.producers)) * products * plan.chip.precision.gradient
    turns = range(back, min(back + 2, 2 * len(plan.layers)))
    yield Resident("dY", layer_plan.layer.index, "gradients", bits, turns, saved)


def _windows(plan: Plan, layer_plan: LayerPlan) -> Iterator[Resident]:
    """What windows of rows need beyond working room; smaller slices have as much."""
    memory, index, slices = plan.chip.core.memory, layer_plan.layer.index, layer_plan.cut.slices
    ways = [("input_room", "spikes", forward_windows, forward_room(memory), index)]
    held = largest_dY_bits(layer_plan.layer, plan.steps, slices, plan.chip)
    if layer_plan.producers and held > memory.gradients:
        room, back = backward_room(memory), _back(plan, layer_plan)
        ways.append(("dY_rows_room", "gradients", backward_windows, room, back))
    for kind, name, windows_of, room, turn in ways:
        windows = windows_of(plan, layer_plan)
        saved = sum(window.refetch(room) for window in windows)
        if saved:
            more = max(window.bits for window in windows) - room
            bits = {part.core: more for part in slices}
            yield Resident(kind, index, name, bits, range(turn, turn + 1), saved)


def _dW(plan: Plan, layer_plan: LayerPlan) -> Resident:
    """dW stays until the update, which follows WG of the layer below."""
    bits = _by_core(layer_plan, plan.chip.precision.partial_sum)
    first = _back(plan, layer_plan)
    turns = range(first, min(first + 2, 2 * len(plan.layers)))
    saved = 2 * sum(bits.values())
    return Resident("dW", layer_plan.layer.index, "accumulators", bits, turns, saved)


def state(plan: Plan, layer_plan: LayerPlan) -> Resident:
    """U (written, read), S and m (written for others anyway, read) stay until the gradient unit."""
    bits = {part.core: state_bits(plan, layer_plan, part) for part in layer_plan.cut.slices}
    neurons = prod(layer_plan.layer.out_shape) * _pairs(plan)
    membrane = plan.chip.precision.membrane
    written = membrane * ("U" in layer_plan.layer.saved_state)
    saved = neurons * (written + saved_bits(layer_plan.layer, membrane))
    index = layer_plan.layer.index
    turns = range(index, _back(plan, layer_plan) + 1)
    return Resident("state", index, "membrane", bits, turns, saved)


def _carry(plan: Plan, layer_plan: LayerPlan) -> Resident:
    """U waits from a step of a wavefront to the next; through DRAM it is written and read."""
    layer = layer_plan.layer
    width = layer.out_shape[2] * layer.state_words * plan.chip.precision.membrane
    bits, saved, index = {}, 0, layer.index
    for part in layer_plan.cut.slices:
        each = part.neurons.size // length(part.neurons.samples) // layer.sums * width
        bits[part.core] = each * plan.schedule.held_samples(part)
        saved += 2 * (plan.steps - 1) * each * length(part.neurons.samples)
    return Resident("U", index, CARRY, bits, range(index, index + 1), saved)


def _by_core(layer_plan: LayerPlan, width: int) -> dict[int, int]:
    """Bits by core of a value of ``width`` for every weight of its slice."""
    return {part.core: layer_plan.weight_count(part) * width for part in layer_plan.cut.slices}


def _weights(plan: Plan, layer_plan: LayerPlan, of_a_turn: list[Resident]) -> Resident:
    """The weights of a slice stay for good; from DRAM they come to FP, BP and update, and go back.

    What a replica has updated is sent to the others.
    """
    width, slices = plan.chip.precision.weight, layer_plan.cut.slices
    bits = {
        part.core: layer_plan.weights.all_words(part.neurons.channels) * width for part in slices
    }
    learns = plan.workload.learns
    engines = ["fp", *["bp"] * (learns and bool(layer_plan.producers))]
    words = sum(layer_plan.weight_words(engine, part) for engine in engines for part in slices)
    saved = (words + 2 * learns * layer_plan.weights.total) * width
    saved += sum(resident.saved for resident in of_a_turn)
    turns, index = range((1 + learns) * len(plan.layers)), layer_plan.layer.index
    includes = {resident.kind: resident.turns[0] for resident in of_a_turn}
    return Resident("W", index, "optimizer", bits, turns, saved, includes)


def _weights_of_a_turn(plan: Plan, layer_plan: LayerPlan) -> Iterator[Resident]:
    """Weights that a core would fetch again for later blocks of positions, in FP and in BP."""
    index, slices = layer_plan.layer.index, layer_plan.cut.slices
    walks = [
        ("W_forward", "fp", forward_refetch, index),
        ("W_backward", "bp", backward_refetch, _back(plan, layer_plan)),
    ]
    for kind, engine, refetch, turn in walks if plan.workload.learns else walks[:1]:
        saved = sum(refetch(plan, layer_plan, part) for part in slices)
        if saved:
            width = plan.chip.precision.weight
            bits = {part.core: layer_plan.weight_words(engine, part) * width for part in slices}
            yield Resident(kind, index, "optimizer", bits, range(turn, turn + 1), saved)


def _moments(plan: Plan, layer_plan: LayerPlan) -> Resident:
    """The moments of the weights stay for good; through DRAM they come and go in every update."""
    each = 2 * plan.chip.precision.optimizer
    bits = {part.core: length(layer_plan.share(part)) * each for part in layer_plan.cut.slices}
    turns, saved = range(2 * len(plan.layers)), 2 * sum(bits.values())
    return Resident("moments", layer_plan.layer.index, "optimizer", bits, turns, saved)
