"""Sweeps: in which order a core's outputs and blocks go round each other, and which weights stay.

A slice whose weights fit the weight buffer keeps them there. Otherwise they are staged in the part
of the engine's U memory that is free while the array works, from where they are copied into the
buffer once a block; what does not fit comes from DRAM once a block. A walk over all blocks with a
few outputs at a time stages them better, but reads its inputs again for every walk; the cheaper
order in DRAM bytes is taken. Weights that stay in the core from one mini-batch to the next are
copied into the buffer from where they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

from tlm.counts.blocks import block_sizes, panel_positions
from tlm.space.phase import Phase
from tlm.space.region import Region, Slice, Span, length
from tlm.space.rounding import ceil_div
from tlm.storage.plan import LayerPlan, Plan
from tlm.storage.slice_sizes import kept_bits

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
    """

    outputs: Span
    quantum: int
    weight_bits: int
    blocks: int
    operand_bits: int


def forward_sweeps(
    plan: Plan, layer_plan: LayerPlan, part: Slice, region: Region, phase: Phase
) -> Iterator[Sweep]:
    """The walks over a region of the product; each streams the inputs of all its blocks."""
    each = prod(layer_plan.layer.weight_shape[1:]) * plan.arrays.weight_bits
    positions, _ = panel_positions(
        plan.arrays, plan.arrays.fp, layer_plan.width, length(region.channels)
    )
    steps = plan.steps // layer_plan.repeats
    sizes = block_sizes(
        length(region.samples), length(region.rows), steps, layer_plan.width, positions
    )
    inputs = 0
    if layer_plan.stored.inputs == "dram" or phase != Phase.FP:
        read = layer_plan.wanted_input(region)
        source = layer_plan.addressed.feeds[0]
        inputs = (
            read.size
            * source.width
            * source.steps
            * sum(source_tensor.bits for source_tensor in layer_plan.addressed.feeds)
        )
    blocks = sum(count for _, count in sizes)
    quarters = 2 if plan.schedule.by_step else 1  # U of a block; U carried from step to step
    room = stage_bits(plan, layer_plan, part, quarters * plan.chip.core.memory.membrane // 4)
    traffic = _SliceTraffic(region.channels, plan.arrays.tile, each, blocks, inputs)
    yield from _sweeps(plan, layer_plan, phase, traffic, room)


def backward_sweeps(
    plan: Plan, layer_plan: LayerPlan, part: Slice, samples: Span
) -> Iterator[Sweep]:
    """The walks over BP of some samples; ``outputs`` are input channels of the layer."""
    taps = layer_plan.layer.kernel[0] * layer_plan.layer.kernel[1]
    channels = length(part.neurons.channels)
    each = channels // layer_plan.layer.groups * taps * plan.arrays.weight_bits
    inputs, _, width = layer_plan.layer.in_shape
    positions, _ = panel_positions(plan.arrays, plan.arrays.bp, width, inputs)
    sizes = block_sizes(length(samples), length(part.input_rows), plan.steps, width, positions)
    memory, gradients = plan.chip.core.memory, 0
    if layer_plan.stored.dY == "dram":
        values = (
            channels * length(samples) * length(part.neurons.rows) * layer_plan.width * plan.steps
        )
        gradients = values * plan.chip.precision.gradient
    # The gradient unit's next block of U comes meanwhile, unless BN or DRAM stands in between.
    busy = memory.membrane // (
        2 if layer_plan.stored.dY == "memory" and not layer_plan.exact else 4
    )
    blocks = sum(count for _, count in sizes)
    room = stage_bits(plan, layer_plan, part, busy)
    traffic = _SliceTraffic((0, inputs), plan.arrays.chunk, each, blocks, gradients)
    yield from _sweeps(plan, layer_plan, Phase.BP, traffic, room)


def stage_bits(plan: Plan, layer_plan: LayerPlan, part: Slice, busy: int) -> int:
    """Bits of the U memory that weights may take: all but kept state and what the unit uses."""
    return max(0, plan.chip.core.memory.membrane - busy - kept_bits(plan, part.core))


def _sweeps(
    plan: Plan, layer_plan: LayerPlan, phase: Phase, traffic: _SliceTraffic, room: int
) -> Iterator[Sweep]:
    """Sweeps over all outputs; ``room`` bits of weights may stay beside the weight buffer.

    Grouped convolutions, whose tiles end with their groups, are swept whole.
    """
    buffer, outputs, each = plan.chip.core.memory.weights, traffic.outputs, traffic.weight_bits
    all_bits = each * length(outputs)
    if all_bits <= buffer or layer_plan.stored.W == "memory":
        staged, room = all_bits > buffer, max(all_bits, buffer)
        yield Sweep(phase, layer_plan.layer.index, outputs, room, staged, buffer // 2)
        return
    few = max(traffic.quantum, room // each // traffic.quantum * traffic.quantum)
    sweeps = ceil_div(length(outputs), few)
    left = max(0, each * few - room) * sweeps
    apart = left * (traffic.blocks - 1) + traffic.operand_bits * (sweeps - 1)
    together = max(0, all_bits - room) * (traffic.blocks - 1)
    if together <= apart or layer_plan.layer.groups > 1:
        few = length(outputs)
    for first in range(*outputs, few):
        span = (first, min(first + few, outputs[1]))
        # What does not stay passes through a double buffer of an eighth of the stage.
        group = max(buffer // 2, room // STREAM_SHARE // 2)
        stays = room if each * length(span) <= room else room - 2 * group
        yield Sweep(phase, layer_plan.layer.index, span, stays, True, group)
