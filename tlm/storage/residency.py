"""Residency: what of a layer stays in a core's memories, and what goes through DRAM.

What could stay (``candidates``) competes for what is left beside the working room (``budget``):
first comes what saves the most DRAM traffic for every bit it holds over a turn of the schedule,
last dI, which may be made again. A tensor gets its place if all its cores have room for as long as
it lives: all the time, where layers run at the same time (``pipelined``, ``wavefront``, layers on
cores of their own).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from tlm.config.chip import Mapping, State
from tlm.config.tables.energy import EnergyTable
from tlm.errors import MappingError
from tlm.placement.slice_bits import dY_through_dram, input_bits, largest_dY_bits
from tlm.placement.slices import Slices
from tlm.space.layer_cut import LayerStores, StatePolicy, Store
from tlm.space.region import length
from tlm.storage.budget import Budget
from tlm.storage.candidates import Resident, candidates, state
from tlm.storage.plan import LayerPlan, Plan
from tlm.storage.windows import backward_room, backward_windows, forward_room, forward_windows

Kept = list[set[str]]  # by layer, the kinds of data that stay


def choose_stores(plan: Plan, energy: EnergyTable) -> None:
    """Decide where every layer's inputs, dS, dY, currents, dW, W, state and moments are kept.

    Raises:
        MappingError: state that is asked to stay in the cores does not fit.
    """
    learns, kept = plan.workload.learns, [set[str]() for _ in plan.layers]
    budget = Budget(plan.chip, plan.at_once, learns)
    policies: list[State] = ["auto"] * len(plan.layers)
    if learns:
        policies = [_policy(layer_plan.layer.name, plan.chip.mapping) for layer_plan in plan.layers]
    for layer_plan, policy in zip(plan.layers, policies, strict=True):
        if policy == "keep":
            _keep_state(plan, layer_plan, budget)
    free = [c for c in candidates(plan) if c.kind != "state" or policies[c.layer] == "auto"]
    last = [_dI_again(*layer) for layer in zip(plan.layers, policies, strict=True)]
    for candidate in sorted(
        free, key=lambda c: (c.kind == "dI" and last[c.layer], -c.worth, c.layer, c.kind)
    ):
        if not _needless(candidate.kind, plan.layers[candidate.layer], kept[candidate.layer]):
            _keep(candidate, kept[candidate.layer], budget)
    for layer_plan, policy in zip(plan.layers, policies, strict=True):
        final: StatePolicy = policy if policy != "auto" else "dropped"
        if learns and (policy == "auto" or not layer_plan.layer.saved_state):
            final = _cheapest(plan, layer_plan, kept, energy)
        stores = _stores(plan, layer_plan, kept[layer_plan.layer.index], final)
        layer_plan.stored = stores if learns else _forward_alone(stores, layer_plan, kept)


def _keep(candidate: Resident, kept: set[str], budget: Budget) -> None:
    """Keep a candidate beside what of the same layer stays already, if there is room for it."""
    held = [turn for kind, turn in candidate.includes.items() if kind in kept]
    turns = [turn for turn in candidate.turns if turn not in held]
    if candidate.kind not in kept and budget.take(candidate.memory, candidate.bits, turns):
        kept |= {candidate.kind, *candidate.includes}


def _policy(name: str, mapping: Mapping) -> State:
    """How a layer's state is to be saved; the last exception that names it wins."""
    return dict(mapping.states).get(name, mapping.state)


def _keep_state(plan: Plan, layer_plan: LayerPlan, budget: Budget) -> None:
    """Keep the state of a layer, as was asked."""
    asked = state(plan, layer_plan)
    if not layer_plan.layer.saved_state or budget.take(asked.memory, asked.bits, asked.turns):
        return
    core, bits = max(asked.bits.items(), key=lambda item: item[1])
    raise MappingError(
        f"mapping.state: layer {layer_plan.layer.name}: state kept on core {core} needs {bits} bit "
        f"more of the {budget.room(asked.memory)} bit that core.memory has for it; use "
        f"mapping.states=[{layer_plan.layer.name}=spill], more cores, or a larger memory"
    )


def _needless(kind: str, layer_plan: LayerPlan, kept: set[str]) -> bool:
    """Whether a kind of data is worth little beside what stays already.

    State follows from currents in the core; inputs in the core need no window.
    """
    if kind == "state":
        return layer_plan.exact and "Y" in kept
    return kind == "input_room" and "inputs" in kept


def _cheapest(plan: Plan, layer_plan: LayerPlan, kept: Kept, energy: EnergyTable) -> StatePolicy:
    """How BP gets the state of a layer with the least energy, if it may be chosen.

    Behind batch statistics U follows from Y without a convolution. Elsewhere FP is run again: its
    additions for the spikes there are, its inputs and weights from DRAM.
    """
    if "state" in kept[layer_plan.layer.index]:
        return "keep"
    if not layer_plan.layer.saved_state:
        return "spill"
    if layer_plan.exact:
        return "recompute"
    layer, slices = layer_plan.layer, layer_plan.cut.slices
    adds = layer_plan.masks.input_count(layer.index) * layer.factor_shape[0]
    adds = adds * layer.kernel[0] * layer.kernel[1] // (layer.stride[0] * layer.stride[1])
    bits = sum(
        input_bits(layer, part, length(part.neurons.samples), plan.steps, layer_plan.operand_bits)
        + layer_plan.weight_words("fp", part) * plan.chip.precision.weight
        for part in slices
    )
    dram_pj = energy.pj("dram", "read_bit")
    again_pj = adds * energy.pj("fp", "mac_add") + bits * dram_pj
    return "recompute" if again_pj < state(plan, layer_plan).saved * dram_pj else "spill"


def _stores(plan: Plan, layer_plan: LayerPlan, kept: set[str], policy: StatePolicy) -> LayerStores:
    def store(kind: str) -> Store:
        return "memory" if kind in kept else "dram"

    U: Store = "dram" if _carry_spilled(plan, layer_plan) else "memory"
    kept_U = policy == "keep" and "U" in layer_plan.layer.saved_state
    if plan.schedule.by_step and (not kept_U or layer_plan.layer.current_based):
        U = store("U")
    exact, room = layer_plan.exact, _dY_room(plan, layer_plan, kept)
    multiplies = layer_plan.layer.multiplies
    input_room, dY_rows_room = _rows_rooms(plan, layer_plan, kept)
    return LayerStores(
        inputs=store("inputs"),
        S="dram",
        Y=store("Y") if exact else "memory",
        Y_forward=store("Y_forward") if exact else "memory",
        Y_backward=store("Y_backward" if policy == "recompute" else "Y") if exact else "memory",
        dI=_dI(layer_plan, kept, policy),
        U=U,
        dS=store("dS") if layer_plan.consumers else "memory",
        dY="dram" if multiplies and _dY_spilled(plan, layer_plan, room, kept) else "memory",
        dY_room=room,
        input_room=input_room,
        dY_rows_room=dY_rows_room,
        dW="memory" if _dW_stays(layer_plan, kept) else "dram",
        W=store("W"),
        W_forward=store("W_forward"),
        W_backward=store("W_backward"),
        moments=store("moments"),
        state=policy,
    )


def _forward_alone(stores: LayerStores, layer_plan: LayerPlan, kept: Kept) -> LayerStores:
    """The stores of inference: nothing is there for BP, WG and update.

    The output goes to DRAM only where a later layer does not get it over the mesh.
    """
    sent = all("inputs" in kept[reader.layer.index] for reader in layer_plan.consumers)
    sent = sent and not (layer_plan.head or layer_plan.output_adders)
    return replace(
        stores,
        S="memory" if sent else "dram",
        dI="memory",
        dS="memory",
        dY="memory",
        dW="memory",
        W_backward="memory",
        moments="memory",
    )


def _dY_room(plan: Plan, layer_plan: LayerPlan, kept: set[str]) -> int:
    """Bits of a core that dY alternates in: the gradient memory, or what two samples need."""
    parts = layer_plan.cut.slices
    two = 2 * largest_dY_bits(layer_plan.layer, plan.steps, parts, plan.chip)
    memory = plan.chip.core.memory.gradients
    return two if "dY" in kept and _dW_stays(layer_plan, kept) else memory


def _dW_stays(layer_plan: LayerPlan, kept: set[str]) -> bool:
    """Whether no dW goes through DRAM: a layer without weights has none."""
    return "dW" in kept or not layer_plan.layer.weighted


def _dI_again(layer_plan: LayerPlan, policy: State | StatePolicy) -> bool:
    """Whether dI may be made again of dS and U: not where U comes from DRAM for it.

    Windows of ``current_pool`` that the unit has passed already stand in the way, too, and
    gradients that later layers return to what they have added.
    """
    again = layer_plan.layer.current_pool is None and not layer_plan.adders
    return policy != "spill" and again


def _dI(layer_plan: LayerPlan, kept: set[str], policy: StatePolicy) -> Store | Literal["recompute"]:
    """Where dI waits for the sums of BP, and for the layers that its shortcuts come from: in DRAM.

    It is made again if dS stays in the core.
    """
    if layer_plan.layer.added:
        return "dram"
    if not layer_plan.exact or "dI" in kept:
        return "memory"
    arrived = "dS" in kept or layer_plan.head
    return "recompute" if arrived and _dI_again(layer_plan, policy) else "dram"


def _rows_rooms(plan: Plan, layer_plan: LayerPlan, kept: set[str]) -> tuple[int, int]:
    """Bits for rows of FP's inputs, and of BP's dY: working room, or their largest window."""
    memory = plan.chip.core.memory
    rooms = [forward_room(memory), backward_room(memory)]
    for at, (kind, windows_of) in enumerate(
        (("input_room", forward_windows), ("dY_rows_room", backward_windows))
    ):
        if kind in kept:
            rooms[at] = max(window.bits for window in windows_of(plan, layer_plan))
    return rooms[0], rooms[1]


def _dY_spilled(plan: Plan, layer_plan: LayerPlan, room: int, kept: set[str]) -> bool:
    """Whether dY goes through DRAM: no sample of it fits, or dW would cost more bytes."""
    layer, slices = layer_plan.layer, layer_plan.cut.slices
    if _dW_stays(layer_plan, kept):
        return largest_dY_bits(layer, plan.steps, slices, plan.chip) > room
    grid = Slices([layer_plan.cut.grid])
    through = dY_through_dram(
        layer_plan.weights, plan.steps, grid, plan.chip, layer_plan.operand_bits
    )
    return bool(through[0])


def _carry_spilled(plan: Plan, layer_plan: LayerPlan) -> bool:
    """Whether the state goes through DRAM between two blocks of steps of the same row.

    A quarter of the U memory carries it; blocks of all steps, and the walk behind batch
    statistics, carry nothing from one to the next.
    """
    layer = layer_plan.layer
    if (
        layer_plan.exact
        or layer_plan.repeats > 1
        or layer.neuron is None
        or layer_plan.width * plan.steps <= plan.arrays.positions
    ):
        return False
    channels = max(length(part.neurons.channels) for part in layer_plan.cut.slices)
    bits = (
        channels
        // layer.sums
        * layer.out_shape[2]
        * layer.state_words
        * plan.chip.precision.membrane
    )
    return bits > plan.chip.core.memory.membrane // 4
