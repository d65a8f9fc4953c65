"""Sweeps: in which order a core's outputs and blocks go round each other, and which weights stay.

A slice whose weights fit the weight buffer keeps them there. Otherwise they are staged in the part
of the engine's U memory that is free while the array works, from where they are copied into the
buffer once a block; what does not fit comes from DRAM once a block. A walk over all blocks with a
few outputs at a time stages them better, but reads its inputs again for every walk; the cheaper
order in DRAM bytes is taken. Weights that stay in the core while FP or BP of the layer lasts, or
from one mini-batch to the next, are copied into the buffer from where they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tlm.counts.blocks import block_sizes, panel_positions, sample_blocks
from tlm.placement.slice_bits import dY_bits
from tlm.space.layer_cut import Store
from tlm.space.phase import Phase
from tlm.space.region import Region, Slice, Span, length
from tlm.space.rounding import ceil_div
from tlm.storage.plan import LayerPlan, Plan
from tlm.storage.slice_sizes import kept_bits, product_region

STREAM_SHARE = 8  # part of the stage that passes on weights which do not stay (assumed)


class Sweep(NamedTuple):
    """One walk over all blocks of a slice with a span of its outputs.

    ``room`` bits of its weights stay in the core: in the weight buffer, or ``staged`` beside it.
    ``group_bits`` are fetched at a time.
    """

    phase: Phase
    layer: int
    outputs: Span
    room: int
    staged: bool
    group_bits: int


class _SliceTraffic(NamedTuple):
    """What a walk over a slice moves: the choice between one sweep and several rests on it.

    ``outputs`` are walked in multiples of ``quantum``, each with ``weight_bits`` of weights, over
    ``blocks`` blocks; every sweep reads all ``operand_bits`` of the other operand from DRAM.
    ``room`` bits of weights may stay beside the weight buffer.
    """

    outputs: Span
    quantum: int
    weight_bits: int
    blocks: int
    operand_bits: int
    room: int


def forward_sweeps(
    plan: Plan, layer_plan: LayerPlan, part: Slice, region: Region, phase: Phase
) -> Iterator[Sweep]:
    """The walks over a region of the product; each streams the inputs of all its blocks.

    Nothing stays of what a matmul holds: the next block has its own.
    """
    if layer_plan.held is not None:
        yield _held_sweep(plan, layer_plan, phase, region.channels)
        return
    inputs = 0
    if layer_plan.stored.inputs == "dram" or phase != Phase.FP:
        inputs = layer_plan.read_bits(layer_plan.wanted_input(region))
    traffic = _beside_state(plan, part, _forward_traffic(plan, layer_plan, part, region, inputs))
    stays = phase == Phase.FP and layer_plan.stored.W_forward == "memory"
    yield from _sweeps(plan, layer_plan, phase, traffic, stays)


def _held_sweep(plan: Plan, layer_plan: LayerPlan, phase: Phase, outputs: Span) -> Sweep:
    """The one walk of a matmul: what it holds passes through halves of the weight buffer."""
    half = plan.chip.core.memory.weights // 2
    return Sweep(phase, layer_plan.layer.index, outputs, 0, False, half)


def forward_refetch(plan: Plan, layer_plan: LayerPlan, part: Slice) -> int:
    """Bits of weights that FP of a slice fetches again if its inputs come over the mesh."""
    region = product_region(layer_plan, part)
    traffic = _forward_traffic(plan, layer_plan, part, region, 0)
    return _cheaper(traffic)[1] if _exceeds_buffer(plan, traffic) else 0


def _forward_traffic(
    plan: Plan, layer_plan: LayerPlan, part: Slice, region: Region, inputs: int
) -> _SliceTraffic:
    bits = layer_plan.weight_words("fp", part) * plan.arrays.weight_bits
    each = ceil_div(bits, length(region.channels))
    positions, _ = panel_positions(
        plan.arrays, plan.arrays.fp, layer_plan.width, length(region.channels)
    )
    steps = plan.steps // layer_plan.repeats
    sizes = block_sizes(
        length(region.samples), length(region.rows), steps, layer_plan.width, positions
    )
    blocks = sum(count for _, count in sizes)
    quarters = 2 if plan.schedule.by_step else 1  # U of a block; U carried from step to step
    membrane = plan.chip.core.memory.membrane
    room = membrane - quarters * membrane // 4
    return _SliceTraffic(region.channels, plan.arrays.tile, each, blocks, inputs, room)


def backward_sweeps(
    plan: Plan, layer_plan: LayerPlan, part: Slice, samples: Span
) -> Iterator[Sweep]:
    """The walks over BP of some samples; ``outputs`` are input channels of the layer."""
    if layer_plan.held is not None:
        yield _held_sweep(plan, layer_plan, Phase.BP, (0, layer_plan.layer.in_shape[0]))
        return
    dY = layer_plan.stored.dY
    traffic = _beside_state(plan, part, _backward_traffic(plan, layer_plan, part, samples, dY))
    stays = layer_plan.stored.W_backward == "memory"
    yield from _sweeps(plan, layer_plan, Phase.BP, traffic, stays)


def backward_refetch(plan: Plan, layer_plan: LayerPlan, part: Slice) -> int:
    """Bits of weights that BP of a slice fetches again if dY of samples passes through the core.

    What does not stay comes again for every block of samples whose dY is there together.
    """
    if not layer_plan.producers or not length(part.input_rows):
        return 0
    bits = dY_bits(layer_plan.layer, plan.steps, part, plan.chip)
    spans = list(sample_blocks(part.neurons.samples, bits, plan.chip.core.memory.gradients))
    traffic = _backward_traffic(plan, layer_plan, part, spans[0], "memory")
    if not _exceeds_buffer(plan, traffic):
        return 0
    all_bits = traffic.weight_bits * length(traffic.outputs)
    few, refetched = _cheaper(traffic)
    again = all_bits if few < length(traffic.outputs) else max(0, all_bits - traffic.room)
    return refetched * len(spans) + again * (len(spans) - 1)


def _backward_traffic(
    plan: Plan, layer_plan: LayerPlan, part: Slice, samples: Span, dY: Store
) -> _SliceTraffic:
    channels = length(part.neurons.channels)
    inputs, _, width = layer_plan.layer.in_shape
    each = ceil_div(layer_plan.weight_words("bp", part) * plan.arrays.weight_bits, inputs)
    positions, _ = panel_positions(plan.arrays, plan.arrays.bp, width, inputs)
    sizes = block_sizes(length(samples), length(part.input_rows), plan.steps, width, positions)
    memory, gradients = plan.chip.core.memory, 0
    if dY == "dram":
        values = (
            channels * length(samples) * length(part.neurons.rows) * layer_plan.width * plan.steps
        )
        gradients = values * plan.chip.precision.gradient
    # The gradient unit's next block of U comes meanwhile, unless BN or DRAM stands in between.
    busy = memory.membrane // (2 if dY == "memory" and not layer_plan.exact else 4)
    blocks = sum(count for _, count in sizes)
    room = memory.membrane - busy
    return _SliceTraffic((0, inputs), plan.arrays.chunk, each, blocks, gradients, room)


def _beside_state(plan: Plan, part: Slice, traffic: _SliceTraffic) -> _SliceTraffic:
    """The traffic of a slice whose weights share the U memory with kept state."""
    return traffic._replace(room=max(0, traffic.room - kept_bits(plan, part.core)))


def _exceeds_buffer(plan: Plan, traffic: _SliceTraffic) -> bool:
    """Whether the weights need more than the weight buffer."""
    bits = traffic.weight_bits * length(traffic.outputs)
    return bits > plan.chip.core.memory.weights


def _cheaper(traffic: _SliceTraffic) -> tuple[int, int]:
    """Outputs of a sweep that moves the least, and the bits it moves beyond a first time."""
    outputs, each, room = traffic.outputs, traffic.weight_bits, traffic.room
    few = max(traffic.quantum, room // each // traffic.quantum * traffic.quantum)
    sweeps = ceil_div(length(outputs), few)
    left = max(0, each * few - room) * sweeps
    apart = left * (traffic.blocks - 1) + traffic.operand_bits * (sweeps - 1)
    together = max(0, each * length(outputs) - room) * (traffic.blocks - 1)
    return (length(outputs), together) if together <= apart else (few, apart)


def _sweeps(
    plan: Plan, layer_plan: LayerPlan, phase: Phase, traffic: _SliceTraffic, stays: bool
) -> Iterator[Sweep]:
    """Sweeps over all outputs; ``stays``: all weights stay in the core while they last.

    Grouped convolutions, whose tiles end with their groups, are swept whole.
    """
    buffer, outputs, each = plan.chip.core.memory.weights, traffic.outputs, traffic.weight_bits
    all_bits, room = each * length(outputs), traffic.room
    exceeds, index = _exceeds_buffer(plan, traffic), layer_plan.layer.index
    if not exceeds or stays or layer_plan.stored.W == "memory":
        yield Sweep(phase, index, outputs, max(all_bits, buffer), exceeds, buffer // 2)
        return
    few = length(outputs) if layer_plan.layer.groups > 1 else _cheaper(traffic)[0]
    for first in range(*outputs, few):
        span = (first, min(first + few, outputs[1]))
        # What does not stay passes through a double buffer of an eighth of the stage.
        group = max(buffer // 2, room // STREAM_SHARE // 2)
        stays_bits = room if each * length(span) <= room else room - 2 * group
        yield Sweep(phase, index, span, stays_bits, True, group)
