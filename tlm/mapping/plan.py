"""The plan: for every layer of a recorded iteration its split, exact counts and addresses."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tlm.config.core import Engine
from tlm.config.schema import ChipConfig
from tlm.errors import MappingError
from tlm.mapping.address import Allocator, Tensor, Weights
from tlm.mapping.counts import (
    Bools,
    FpCounts,
    PairCounts,
    bp_counts,
    flattened,
    fp_counts,
    needed,
    pooled_spikes,
    wg_counts,
)
from tlm.mapping.nest import Array, array_of
from tlm.mapping.region import Region, Slice, Span, length
from tlm.mapping.split import Split, choose_split, input_rows, slices_of
from tlm.task import Run
from tlm.workload.model import Layer, Recording, Workload


@dataclass(slots=True)
class LayerPlan:
    """Everything the program builders need to know of one layer.

    ``inputs`` [T, B, C, H, W] and ``gradients`` [T, B, K, E, F] are the recorded non-zero masks,
    ``spikes`` and ``need`` [T, B, K, E', F'] the layer's pooled spikes and which dS at the pooled
    grid BP of the next layer must compute. ``live`` [T, B] is false where the whole dU is zero
    and slices are skipped. ``owner`` [B, K, E'] is the index of the slice that owns a pooled row.
    """

    layer: Layer
    split: Split
    slices: list[Slice]
    inputs: Bools
    gradients: Bools
    spikes: Bools
    need: Bools
    live: Bools
    owner: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    fp: FpCounts
    bp: PairCounts | None
    wg: PairCounts
    forward: str = "noc"
    dw_spilled: bool = False
    tensors: dict[str, Tensor] = field(default_factory=dict)
    weights: dict[str, Weights] = field(default_factory=dict)

    def pooled_rows(self, rows: Span) -> Span:
        """The pooled rows that are complete when ``rows`` of neurons are."""
        if self.layer.pool is None:
            return rows
        stride = self.layer.pool.stride
        return (rows[0] // stride, min(self.layer.pooled_shape[1], rows[1] // stride))

    def pooled(self, region: Region) -> Region:
        """A region of neurons on the pooled grid."""
        return Region(region.channels, region.samples, self.pooled_rows(region.rows))

    def wanted_input(self, neurons: Region) -> Region:
        """The region of the producer's pooled grid that FP and WG of some neurons read."""
        tensor = self.tensors["input"]
        rows = (0, tensor.rows)
        if self.layer.kind == "conv":
            rows = input_rows(self.layer, neurons.rows)
        return Region((0, tensor.channels), neurons.samples, rows)

    def input_runs(self, neurons: Region, steps: Span) -> tuple[Run, ...]:
        """The DRAM runs of what FP and WG of some neurons read."""
        wanted = self.wanted_input(neurons)
        return self.tensors["input"].runs(wanted.samples, steps, wanted.channels, wanted.rows)

    def weight_count(self, part: Slice) -> int:
        """Weights of a slice."""
        taps = self.layer.kernel[0] * self.layer.kernel[1]
        return length(part.neurons.channels) * self.layer.in_shape[0] * taps

    def replicas(self, part: Slice) -> list[Slice]:
        """The slices that hold the same weights, in index order, ``part`` included."""
        return [s for s in self.slices if s.neurons.channels == part.neurons.channels]


@dataclass(slots=True)
class Plan:
    """A recorded iteration placed on a chip."""

    workload: Workload
    chip: ChipConfig
    array: Array
    layers: list[LayerPlan]
    addresses: Allocator

    @property
    def steps(self) -> int:
        """Time steps T."""
        return self.workload.steps


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
    _place(plan)
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
    seen = fp_counts(layer, _seen(inputs, engine.skip_spikes), array.chunk)
    return FpCounts(seen.executed, real.events)


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


def _place(plan: Plan) -> None:
    """Give every tensor its address; raise MappingError if DRAM is too small."""
    first = plan.workload.layers[0]
    direct = plan.workload.encoding == "direct"
    bits = plan.chip.precision.input if first.input_kind == "analog" else 1
    source = _tensor(plan, "X", first.in_shape, 1 if direct else plan.steps, bits)
    for lp in plan.layers:
        name, steps = lp.layer.name, plan.steps
        lp.tensors["input"] = source
        lp.tensors["U"] = _tensor(
            plan, f"{name}.U", lp.layer.out_shape, steps, plan.chip.precision.membrane
        )
        lp.tensors["S"] = _tensor(plan, f"{name}.S", lp.layer.out_shape, steps, 1)
        lp.tensors["m"] = _tensor(plan, f"{name}.m", lp.layer.out_shape, steps, 1)
        lp.tensors["spikes"], lp.tensors["need"] = lp.tensors["S"], lp.tensors["m"]
        if lp.layer.pool is not None:
            shape = lp.layer.pooled_shape
            lp.tensors["spikes"] = _tensor(plan, f"{name}.S_pooled", shape, steps, 1)
            lp.tensors["need"] = _tensor(plan, f"{name}.m_pooled", shape, steps, 1)
        _place_weights(plan, lp)
        source = lp.tensors["spikes"]
    if plan.addresses.top > plan.addresses.capacity:
        raise MappingError(
            f"the job needs {plan.addresses.top} B of DRAM, the chip has "
            f"{plan.addresses.capacity} B; use more channels or a larger device"
        )


def _place_weights(plan: Plan, lp: LayerPlan) -> None:
    precision = plan.chip.precision
    wanted = [("W", precision.weight)]
    if plan.workload.optimizer == "adam":
        wanted += [("moment1", precision.optimizer), ("moment2", precision.optimizer)]
    if lp.dw_spilled:
        wanted += [(f"dW.core{part.core:02d}", precision.partial_sum) for part in lp.slices]
    taps = lp.layer.kernel[0] * lp.layer.kernel[1]
    for key, bits in wanted:
        tensor = Weights(
            name=f"{lp.layer.name}.{key}",
            address=plan.addresses.top,
            outputs=lp.layer.out_shape[0],
            inputs=lp.layer.in_shape[0],
            taps=taps,
            tile=plan.array.tile,
            chunk=plan.array.chunk,
            bits=bits,
        )
        plan.addresses.reserve(tensor.nbytes)
        plan.addresses.add(tensor)
        lp.weights[key] = tensor


def _tensor(plan: Plan, name: str, shape: tuple[int, int, int], steps: int, bits: int) -> Tensor:
    channels, rows, width = shape
    tensor = Tensor(
        name=name,
        address=plan.addresses.top,
        channels=channels,
        group=plan.array.tile,
        samples=plan.workload.batch,
        steps=steps,
        rows=rows,
        width=width,
        bits=bits,
    )
    plan.addresses.reserve(tensor.nbytes)
    plan.addresses.add(tensor)
    return tensor
