"""Residency: what of a layer stays in a core's memories, and what goes through DRAM.

Spikes on their way to FP and dS on its way to the gradient unit wait in memories that several
layers share: what arrives for a later layer stays there while the layers between run. Each layer
in turn gets its place if all its cores have room for as long as it needs it: all the time, where
layers run at the same time (``pipelined``, ``wavefront``, layers on cores of their own).
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from tlm.errors import MappingError
from tlm.placement.shared_memories import layers_overlap
from tlm.placement.slice_bits import dY_through_dram, input_bits
from tlm.space.geometry import product_rows
from tlm.space.layer_cut import LayerStores, Store
from tlm.space.region import Region, Slice, length
from tlm.storage.plan import LayerPlan, Plan


class _Shelf:
    """One memory of every core, held by layers from one turn of the schedule to another.

    There is one turn only if all layers run at the same time.
    """

    def __init__(self, capacity: int, at_once: bool = False) -> None:
        self._capacity = capacity
        self._at_once = at_once
        self._used: dict[tuple[int, int], int] = defaultdict(int)

    def take(self, bits: dict[int, int], first: int, last: int) -> Store:
        """Keep ``bits`` by core from turn ``first`` to ``last``, or say that they do not fit."""
        turns = range(1) if self._at_once else range(first, last + 1)
        places = [(core, turn) for core in bits for turn in turns]
        if any(self._used[place] + bits[place[0]] > self._capacity for place in places):
            return "dram"
        for place in places:
            self._used[place] += bits[place[0]]
        return "memory"


def choose_stores(plan: Plan) -> None:
    """Decide where every layer's inputs, dS, dY, currents, dW and state are kept.

    Raises:
        MappingError: state that is asked to stay in the cores does not fit.
    """
    memory, precision = plan.chip.core.memory, plan.chip.precision
    at_once = plan.schedule.alternates or layers_overlap(
        [layer_plan.cut.grid for layer_plan in plan.layers]
    )
    spikes, arrivals = _Shelf(memory.spikes, at_once), _Shelf(memory.spike_gradients, at_once)
    currents = _Shelf(memory.batch_norm, at_once)
    sums = _Shelf(memory.accumulators, plan.schedule.alternates)
    carried = _Shelf(memory.membrane // 4, at_once)
    dS: dict[int, Store] = {}
    for layer_plan in reversed(plan.layers):
        index = layer_plan.layer.index
        dS[index] = "memory"
        if layer_plan.consumers:
            bits = {
                core: _arriving_bits(plan, layer_plan, part) for core, part in _parts(layer_plan)
            }
            dS[index] = arrivals.take(bits, index, layer_plan.consumers[-1].layer.index)
    for layer_plan in plan.layers:
        index, parts = layer_plan.layer.index, _parts(layer_plan)
        producers = [producer.layer.index for producer in layer_plan.producers]
        inputs: Store = "dram"
        if producers:  # inputs arrive while the producers run, and stay until the layer has run
            bits = {core: _input_bits(plan, layer_plan, part) for core, part in parts}
            inputs = spikes.take(bits, min(producers), index)
        Y: Store = "memory"
        if layer_plan.exact:  # from FP until BP has come back to the layer
            bits = {core: _currents_bits(plan, layer_plan, part) for core, part in parts}
            Y = currents.take(bits, index, 2 * len(plan.layers) - 1 - index)
        bits = {core: layer_plan.weight_count(part) * precision.partial_sum for core, part in parts}
        dW = sums.take(bits, index, index)
        through = dY_through_dram(
            layer_plan.layer, plan.steps, layer_plan.cut.slices, plan.chip, layer_plan.operand_bits
        )
        U = _carry_store(plan, layer_plan, carried)
        dY: Store = "dram" if through else "memory"
        layer_plan.stored = LayerStores(inputs, Y, U, dS[index], dY, dW)
    _keep_states(plan)


def _parts(layer_plan: LayerPlan) -> list[tuple[int, Slice]]:
    return [(part.core, part) for part in layer_plan.cut.slices]


def _carry_store(plan: Plan, layer_plan: LayerPlan, carried: _Shelf) -> Store:
    """Where U waits between two steps of a wavefront, or between two blocks of steps."""
    if plan.schedule.by_step and layer_plan.state != "keep":
        bits = {
            core: part.neurons.size * layer_plan.layer.out_shape[2] * plan.chip.precision.membrane
            for core, part in _parts(layer_plan)
        }
        return carried.take(bits, layer_plan.layer.index, layer_plan.layer.index)
    return "dram" if _carry_spilled(plan, layer_plan) else "memory"


def product_region(layer_plan: LayerPlan, part: Slice) -> Region:
    """The products a slice computes."""
    rows = product_rows(layer_plan.layer, part.neurons.rows)
    return Region(part.neurons.channels, part.neurons.samples, rows)


def _input_bits(plan: Plan, layer_plan: LayerPlan, part: Slice) -> int:
    held = plan.schedule.held_samples(part)
    return input_bits(layer_plan.layer, part, held, plan.steps, layer_plan.operand_bits)


def _currents_bits(plan: Plan, layer_plan: LayerPlan, part: Slice) -> int:
    """Y and dL/dI of all samples and steps: what batch statistics make wait."""
    values = product_region(layer_plan, part).size * layer_plan.width * plan.steps
    return values * (plan.chip.precision.membrane + plan.chip.precision.gradient)


def _arriving_bits(plan: Plan, layer_plan: LayerPlan, part: Slice) -> int:
    """All partial dS of a slice: they wait for the last, to be added in fixed order.

    Where BP skips outputs only needed elements come; FP has told the owner how many that are.
    """
    at = layer_plan.pooled(part.neurons)
    engine = plan.chip.core.engines.bp
    samples, held = length(at.samples), plan.schedule.held_samples(part)
    each = np.full(samples, at.size // samples * layer_plan.layer.pooled_shape[2] * plan.steps)
    if engine.mode != "dense" and engine.skip_outputs:
        need = layer_plan.need[:, slice(*at.samples), slice(*at.channels), slice(*at.rows)]
        each = np.count_nonzero(need, axis=(0, 2, 3, 4))
    elements = int(np.sort(each)[-held:].sum())
    return elements * sum(
        reader.cut.split.k * partial_bits(plan, reader) for reader in layer_plan.consumers
    )


def partial_bits(plan: Plan, reader: LayerPlan) -> int:
    """Width of the dX a layer returns: a partial sum if others are added to it."""
    precision = plan.chip.precision
    return precision.partial_sum if reader.cut.split.k > 1 else precision.gradient


def state_bits(plan: Plan, layer_plan: LayerPlan, part: Slice) -> int:
    """U, S and m of a slice, all steps of the samples that are on the chip at a time."""
    neurons = part.neurons.size * layer_plan.layer.out_shape[2] * plan.steps
    neurons = neurons * plan.schedule.held_samples(part) // length(part.neurons.samples)
    return neurons * (plan.chip.precision.membrane + 2)


def _carry_spilled(plan: Plan, layer_plan: LayerPlan) -> bool:
    """Whether U goes through DRAM between two blocks of steps of the same row.

    A quarter of the U memory carries it; blocks of all steps, and the walk behind batch
    statistics, carry nothing from one to the next.
    """
    if (
        layer_plan.exact
        or layer_plan.repeats > 1
        or layer_plan.layer.neuron is None
        or layer_plan.width * plan.steps <= plan.arrays.positions
    ):
        return False
    channels = max(length(part.neurons.channels) for part in layer_plan.cut.slices)
    bits = channels * layer_plan.layer.out_shape[2] * plan.chip.precision.membrane
    return bits > plan.chip.core.memory.membrane // 4


def kept_bits(plan: Plan, core: int) -> int:
    """Bits of a core's U memory that hold state kept from FP to BP."""
    return sum(
        state_bits(plan, layer_plan, part)
        for layer_plan in plan.layers
        if layer_plan.state == "keep"
        for part in layer_plan.cut.slices
        if part.core == core
    )


def _keep_states(plan: Plan) -> None:
    """State kept from FP to BP takes half of the cores' U memories at most, all layers together."""
    room = plan.chip.core.memory.membrane // 2
    used: dict[int, int] = defaultdict(int)
    for layer_plan in plan.layers:
        if layer_plan.state != "keep":
            continue
        for part in layer_plan.cut.slices:
            used[part.core] += state_bits(plan, layer_plan, part)
            if used[part.core] > room:
                raise MappingError(
                    f"layer {layer_plan.layer.name}: state kept on core {part.core} needs "
                    f"{used[part.core]} bit, but half of core.memory.membrane is {room} bit; use "
                    f"mapping.states=[{layer_plan.layer.name}=spill], more cores, or a larger "
                    "memory"
                )
