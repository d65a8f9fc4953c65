"""Planning: choose splits, count exactly, route the spikes, place the tensors."""

from __future__ import annotations

import numpy as np

from tlm.config.core import Engine
from tlm.config.schema import ChipConfig
from tlm.errors import MappingError
from tlm.mapping.address import Allocator
from tlm.mapping.counts import (
    Bools,
    FpCounts,
    Ints,
    PairCounts,
    bp_counts,
    bp_touched,
    flattened,
    fp_counts,
    needed,
    pooled_spikes,
    wg_counts,
)
from tlm.mapping.nest import Array, array_of
from tlm.mapping.place import place
from tlm.mapping.plan import LayerPlan, Plan
from tlm.mapping.region import Slice, Span, length
from tlm.mapping.split import choose_split, input_rows, slices_of
from tlm.workload.model import Layer, Recording, Workload


def make_plan(
    workload: Workload, recording: Recording, chip: ChipConfig, row_bytes: int, capacity: int
) -> Plan:
    """Place a recorded iteration on a chip.

    Args:
        workload: the job.
        recording: the iteration's masks.
        chip: the chip.
        row_bytes: bytes of one DRAM row over all channels, the alignment of tensors.
        capacity: bytes of DRAM.

    Raises:
        MappingError: the job does not fit the chip as asked.
    """
    array = array_of(chip)
    plan = Plan(workload, chip, array, [], Allocator(row_bytes, capacity))
    inputs = _first_input(workload, recording)
    for layer in workload.layers:
        _check(layer)
        plan.layers.append(_plan_layer(plan, layer, recording, inputs))
        inputs = plan.layers[-1].spikes
    _route_forward(plan)
    place(plan)
    return plan


def _check(layer: Layer) -> None:
    """Refuse what no program is built for yet."""
    unmapped = {
        "batch normalisation": layer.norm is not None,
        "a read-out without neurons": layer.neuron is None,
        "pooling of its input": layer.input_pool is not None,
        "pooling before its neurons": layer.current_pool is not None,
        "average pooling": layer.pool is not None and layer.pool.kind != "max",
        "padded pooling": layer.pool is not None and layer.pool.padding > 0,
    }
    for what, there in unmapped.items():
        if there:
            raise MappingError(
                f"layer {layer.name}: {what} is not mapped yet; choose a job of convolutions, "
                "linear layers, LIF neurons and max-pooling (python -m tlm workload info JOB)"
            )
    if layer.sources != (layer.index - 1,):
        raise MappingError(
            f"layer {layer.name}: only chains of layers are mapped, but it reads layers "
            f"{list(layer.sources)}; record a network without branches"
        )
    if layer.pool is not None and layer.pool.size != layer.pool.stride:
        raise MappingError(
            f"layer {layer.name}: pooling windows must not overlap, but size is "
            f"{layer.pool.size} and stride {layer.pool.stride}"
        )
    if any(pad > kernel - 1 for pad, kernel in zip(layer.padding, layer.kernel, strict=True)):
        raise MappingError(f"layer {layer.name}: padding must be smaller than the kernel")


def _first_input(workload: Workload, recording: Recording) -> Bools:
    """The input as [T, B, C, H, W]; a directly coded frame is the same at every step."""
    inputs = recording.inputs
    if workload.encoding == "direct":
        inputs = np.broadcast_to(inputs, (workload.steps, *inputs.shape))
    return np.asarray(inputs)


def _plan_layer(plan: Plan, layer: Layer, recording: Recording, inputs: Bools) -> LayerPlan:
    workload, chip, array = plan.workload, plan.chip, plan.array
    split = choose_split(workload, layer, chip, array)
    slices = slices_of(layer, workload.batch, split, array)
    spikes, masks = recording.spikes[layer.index], recording.masks[layer.index]
    gradients, inputs = recording.gradients[layer.index], flattened(layer, inputs)
    engines = chip.core.engines
    skipping = chip.core.skip_slices
    live = gradients.any(axis=(2, 3, 4)) | np.full(gradients.shape[:2], not skipping)
    before = plan.layers[-1] if plan.layers else None
    layer_plan = LayerPlan(
        layer=layer,
        split=split,
        slices=slices,
        inputs=inputs,
        gradients=gradients,
        spikes=pooled_spikes(layer, spikes),
        need=needed(layer, spikes, masks),
        live=live,
        owner=_owners(layer, workload.batch, slices),
        fp=_fp(layer, inputs, engines.fp, array),
        bp=_bp(layer, gradients, live, flattened(layer, before.need), engines.bp, array)
        if before
        else None,
        wg=_wg(layer, inputs, gradients, live, engines.wg, array),
    )
    if before:
        need = flattened(layer, before.need)
        layer_plan.bp_touched = _touched(layer_plan, need, engines.bp, array)
    bits = max(map(layer_plan.weight_count, slices)) * chip.precision.partial_sum
    layer_plan.dw_spilled = bits > chip.core.memory.accumulators
    return layer_plan


def _owners(
    layer: Layer, batch: int, slices: list[Slice]
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    k, rows, _ = layer.pooled_shape
    stride = layer.pool.stride if layer.pool else 1
    owner = np.full((batch, k, rows), -1, dtype=np.int64)
    for part in slices:
        (k0, k1), (b0, b1), (y0, y1) = (
            part.neurons.channels,
            part.neurons.samples,
            part.neurons.rows,
        )
        owner[b0:b1, k0:k1, y0 // stride : -(-y1 // stride)] = part.index
    return owner


def _seen(values: Bools, skipping: bool) -> Bools:
    """What an engine's zero test sees: without the policy, nothing looks like a zero."""
    return values if skipping else np.ones_like(values)


def _fp(layer: Layer, inputs: Bools, engine: Engine, array: Array) -> FpCounts:
    real = fp_counts(layer, inputs, array.chunk)
    if engine.skip_spikes:
        return real
    seen = fp_counts(layer, np.ones_like(inputs), array.chunk)
    return FpCounts(seen.executed, real.events, seen.touched)


def _seen_gradients(du: Bools, live: Bools, skipping: bool) -> Bools:
    """The same for dU: a slice that is skipped whole is not seen at all."""
    return _seen(du, skipping) & live[..., None, None, None]


def _bp(
    layer: Layer, du: Bools, live: Bools, need: Bools, engine: Engine, array: Array
) -> PairCounts:
    real = bp_counts(layer, du, need, array.chunk, array.tile)
    if engine.skip_gradients and engine.skip_outputs:
        return real
    du = _seen_gradients(du, live, engine.skip_gradients)
    need = _seen(need, engine.skip_outputs)
    return PairCounts(bp_counts(layer, du, need, array.chunk, array.tile).executed, real.useful)


def _touched(lp: LayerPlan, need: Bools, engine: Engine, array: Array) -> dict[Span, Ints]:
    """BP's touched positions for each span of channels that some slice owns."""
    du = _seen_gradients(lp.gradients, lp.live, engine.skip_gradients)
    need = _seen(need, engine.skip_outputs)
    spans = dict.fromkeys(part.neurons.channels for part in lp.slices)
    return {span: bp_touched(lp.layer, du[:, :, slice(*span)], need, array.chunk) for span in spans}


def _wg(
    layer: Layer, inputs: Bools, du: Bools, live: Bools, engine: Engine, array: Array
) -> PairCounts:
    real = wg_counts(layer, inputs, du, array.chunk, array.tile)
    if engine.skip_spikes and engine.skip_gradients:
        return real
    inputs = _seen(inputs, engine.skip_spikes)
    du = _seen_gradients(du, live, engine.skip_gradients)
    return PairCounts(wg_counts(layer, inputs, du, array.chunk, array.tile).executed, real.useful)


def _route_forward(plan: Plan) -> None:
    """Spikes go core to core where every consumer can hold its inputs of all samples and steps."""
    for layer_plan in plan.layers:
        if layer_plan.layer.index == 0:
            layer_plan.forward = "dram"
            continue
        channels, _, width = layer_plan.layer.in_shape
        bits = 0
        for part in layer_plan.slices:
            rows = input_rows(layer_plan.layer, part.neurons.rows)
            held = channels * length(rows) * width * length(part.neurons.samples)
            bits = max(bits, held * plan.steps)
        layer_plan.forward = "noc" if bits <= plan.chip.core.memory.spikes else "dram"
