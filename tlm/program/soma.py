"""The neurons of FP: the soma pass, the state it saves, the spikes it sends."""

from __future__ import annotations

import numpy as np

from tlm.program.builder import (
    ProgramBuilder,
    per_sample,
    spike_bytes,
    wide_accesses,
    window_adds,
)
from tlm.program.glm_step import glm_step
from tlm.program.tile_draft import TileDraft
from tlm.space.phase import Command, Phase
from tlm.space.ports import STATE_PORT_BITS
from tlm.space.region import Region, Slice, Span, length
from tlm.space.rounding import ceil_div
from tlm.storage.plan import LayerPlan
from tlm.workload.glm.neuron import GLMNeuron


def soma(
    builder: ProgramBuilder,
    layer_plan: LayerPlan,
    part: Slice,
    ready: Region,
    steps: Span,
    tile: TileDraft,
) -> None:
    """Charge the neurons of ``ready`` to a tile; their time is that of the pass they ride on.

    U, and the synaptic current of a current-based neuron, are carried from step to step in the
    memory of U. In a wavefront, where other layers run between two steps and not all of it fits, U
    is read back from where it was saved, or all goes through DRAM.
    """
    pool, shape = layer_plan.layer.current_pool, layer_plan.layer.product_shape[1:]
    if pool is not None:
        tile.add_energy({"fp.current_pool": window_adds(pool, ready, shape, steps)})
    if layer_plan.layer.neuron is None:
        return
    neurons = ready.size * layer_plan.layer.out_shape[2] * length(steps)
    neuron, precision = layer_plan.layer.neuron, builder.plan.chip.precision
    if isinstance(neuron, GLMNeuron):
        count = length(ready.channels)
        glm_step(neuron, count, neurons // count, builder.arrays.lanes, precision.membrane, tile)
        tile.add_energy({"fp.state_write": wide_accesses(neurons, 1, STATE_PORT_BITS)})
        _from_dram(builder, layer_plan, part, ready, steps, tile)
        return
    state = precision.membrane * layer_plan.layer.state_words
    flags = _flags(layer_plan, builder.plan.workload.learns)
    tile.add_energy(
        {
            "fp.soma_op": neurons,
            "fp.current_op": neurons * layer_plan.layer.current_based,
            "fp.membrane_read": wide_accesses(neurons, state),
            "fp.membrane_write": wide_accesses(neurons, state),
            "fp.state_write": flags * wide_accesses(neurons, 1, STATE_PORT_BITS),
        }
    )
    _from_dram(builder, layer_plan, part, ready, steps, tile)


def _flags(layer_plan: LayerPlan, learns: bool) -> int:
    """Bits that a neuron leaves beside U: S, and m for BP."""
    if not learns:
        return int(layer_plan.layer.spiking)
    return sum(name != "U" for name in layer_plan.layer.saved_state)


def _from_dram(
    builder: ProgramBuilder,
    layer_plan: LayerPlan,
    part: Slice,
    ready: Region,
    steps: Span,
    tile: TileDraft,
) -> None:
    """Let a tile read U of the step before from DRAM, where it does not stay in the core."""
    if "carry" in layer_plan.addressed.tensors:
        _carry(builder, layer_plan, part, ready, steps, tile)
    elif layer_plan.stored.U == "dram" and tile.phase == Phase.FP and steps[0]:
        before = (steps[0] - 1, steps[0])
        tile.add_reads(
            layer_plan.addressed.tensors["U"].runs(
                ready.samples, before, ready.channels, ready.rows
            )
        )
        what = builder.by_step("saved", before)
        tile.add_read_needs(per_sample(builder, what, layer_plan, part, ready.samples))


def _carry(
    builder: ProgramBuilder,
    layer_plan: LayerPlan,
    part: Slice,
    ready: Region,
    steps: Span,
    tile: TileDraft,
) -> None:
    """Read U of the step before a block, write that of its last one."""
    run = layer_plan.addressed.tensors["carry"].runs(
        ready.samples, (0, 1), ready.channels, ready.rows
    )

    def carried(step: int) -> tuple[int, ...]:
        if builder.plan.schedule.steps_run is not None:  # blocks have other samples in every step
            return per_sample(builder, f"U carried step {step}", layer_plan, part, ready.samples)
        place = (
            tile.phase.name, layer_plan.layer.name, f"core{part.core:02d}",
            "sample", ready.samples[0], "row", ready.rows[0], "channel", ready.channels[0],
        )  # fmt: skip
        return (builder.done.ident("U carried", *place, "step", step),)

    if steps[0]:
        tile.add_reads(run)
        tile.add_read_needs(carried(steps[0]))
    if steps[1] < builder.plan.steps:
        tile.add_writes(run)
        tile.add_saves(builder.done.expect_all(carried(steps[1])))


def leave_state(
    builder: ProgramBuilder,
    layer_plan: LayerPlan,
    part: Slice,
    ready: Region,
    steps: Span,
    tile: TileDraft,
) -> None:
    """Write what BP and later layers read, and send the pooled spikes on."""
    tensors, pool = layer_plan.addressed.tensors, layer_plan.layer.pool
    for name in ("I", "U", "S", "m", "winner"):
        if name in tensors:
            tile.add_writes(tensors[name].runs(ready.samples, steps, ready.channels, ready.rows))
    pooled = layer_plan.pooled(ready)
    if pool is not None:
        adds = window_adds(pool, pooled, layer_plan.layer.out_shape[1:], steps)
        tile.add_energy({"fp.pool": adds})
    for name in ("spikes", "need", "output") if pool is not None or "S" not in tensors else ():
        if name in tensors:
            tile.add_writes(tensors[name].runs(pooled.samples, steps, pooled.channels, pooled.rows))
    for what in dict.fromkeys(("saved", builder.by_step("saved", steps))):
        idents = per_sample(builder, what, layer_plan, part, ready.samples)
        tile.add_saves(builder.done.expect_all(idents))
    if layer_plan.head and builder.plan.workload.learns:
        _to_loss(builder, layer_plan, part, pooled, steps, tile)
    _deliver(builder, layer_plan, part, pooled, steps, tile)


def _to_loss(
    builder: ProgramBuilder,
    layer_plan: LayerPlan,
    part: Slice,
    outputs: Region,
    steps: Span,
    tile: TileDraft,
) -> None:
    """Send each sample's output to the core of its loss: spikes, or currents or potentials."""
    for sample in range(*outputs.samples):
        sample_outputs = Region(outputs.channels, (sample, sample + 1), outputs.rows)
        nbytes = _spike_bytes(layer_plan, [sample_outputs], steps)
        if not layer_plan.layer.spiking:
            values = sample_outputs.size * layer_plan.layer.pooled_shape[2] * length(steps)
            nbytes = ceil_div(values * builder.plan.chip.precision.membrane, 8)
        arrives = (loss_input(builder, layer_plan, sample),)
        builder.send(Command.SPIKE, part.core, loss_core(layer_plan, sample), nbytes, arrives, tile)


def _deliver(
    builder: ProgramBuilder,
    layer_plan: LayerPlan,
    part: Slice,
    outputs: Region,
    steps: Span,
    tile: TileDraft,
) -> None:
    """Send the pooled spikes of a finished block to every core that reads them in FP."""
    what = builder.by_step("FP input", steps)
    readers = (
        (consumer, regions, alike)
        for consumer in layer_plan.consumers
        if consumer.stored.inputs == "memory"
        for regions, alike in builder.read_by(consumer, layer_plan.layer.index)
    )
    for consumer, regions, alike in readers:
        shared = [some for some in map(outputs.meet, regions) if some is not None]
        nbytes = _spike_bytes(layer_plan, shared, steps) if shared else 0
        for reader in alike if shared else ():
            arrives = per_sample(builder, what, consumer, reader, shared[0].samples)
            builder.send(Command.SPIKE, part.core, reader.core, nbytes, arrives, tile)


def _spike_bytes(layer_plan: LayerPlan, regions: list[Region], steps: Span) -> int:
    some = [
        layer_plan.spikes[slice(*steps), slice(*at.samples), slice(*at.channels), slice(*at.rows)]
        for at in regions
    ]
    output = layer_plan.addressed.output
    bits = 1 if output is None else output.bits
    present = sum(int(np.count_nonzero(spikes)) for spikes in some)
    return spike_bytes(sum(spikes.size for spikes in some), present, bits)


def loss_input(builder: ProgramBuilder, layer_plan: LayerPlan, sample: int) -> int:
    """The completion that says all of a head's output of a sample is where its loss is computed."""
    return builder.done.ident("loss input", layer_plan.layer.name, "sample", sample)


def loss_core(layer_plan: LayerPlan, sample: int) -> int:
    """The core that computes a sample's loss: the owner of the output layer's first channels."""
    return next(
        part.core
        for part in layer_plan.cut.slices
        if part.neurons.samples[0] <= sample < part.neurons.samples[1]
    )
