"""Planning: choose splits and policies, count exactly, say what stays where, place the tensors."""

from __future__ import annotations

import numpy as np

from tlm.config.schema import ChipConfig
from tlm.errors import MappingError
from tlm.mapping.address import Allocator
from tlm.mapping.counting import LayerCounts
from tlm.mapping.counts import Bools
from tlm.mapping.geometry import finished_rows
from tlm.mapping.masks import Masks
from tlm.mapping.nest import array_of
from tlm.mapping.place import place
from tlm.mapping.plan import LayerPlan, NormPolicy, Plan, StatePolicy
from tlm.mapping.region import Slice
from tlm.mapping.residency import choose_stores
from tlm.mapping.split import choose_split, slices_of
from tlm.workload.model import NETWORK_INPUT, Layer, Recording, Workload


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
    masks = Masks(workload, recording, sparse_norm=chip.mapping.batch_norm != "exact")
    _check_states(workload, chip)
    for layer in workload.layers:
        _check(layer, chip)
        plan.layers.append(_plan_layer(plan, layer, masks))
    for lp in plan.layers:
        for producer in lp.producers:
            producer.consumers.append(lp)
    choose_stores(plan)
    place(plan)
    return plan


def _check(layer: Layer, chip: ChipConfig) -> None:
    """Refuse what the engines cannot walk."""
    if any(pad > kernel - 1 for pad, kernel in zip(layer.padding, layer.kernel, strict=True)):
        raise MappingError(f"layer {layer.name}: padding must be smaller than the kernel")
    pool, policy = layer.current_pool, chip.mapping.batch_norm
    if layer.norm is not None and pool is not None and pool.kind == "max" and policy != "exact":
        raise MappingError(
            f"layer {layer.name}: mapping.batch_norm={policy} needs to know which current a "
            "max-pool kept, which a job does not record behind batch normalisation; use exact"
        )


def _check_states(workload: Workload, chip: ChipConfig) -> None:
    known = [layer.name for layer in workload.layers]
    for name, _ in chip.mapping.states:
        if name not in known:
            raise MappingError(
                f"mapping.states: no layer {name} in {workload.name}; its layers are "
                + ", ".join(known)
            )


def _plan_layer(plan: Plan, layer: Layer, masks: Masks) -> LayerPlan:
    workload, chip, array = plan.workload, plan.chip, plan.array
    needed = 0
    if layer.sources != (NETWORK_INPUT,):
        needed = int(np.count_nonzero(masks.input_need(layer.index)))
    split = choose_split(workload, layer, chip, array, needed)
    slices = slices_of(layer, workload.batch, split, array)
    norm = None if layer.norm is None else chip.mapping.batch_norm
    live = _live(layer, masks, norm, chip)
    distinct = [source for source in dict.fromkeys(layer.sources) if source != NETWORK_INPUT]
    return LayerPlan(
        layer=layer,
        split=split,
        slices=slices,
        masks=masks,
        counts=LayerCounts(layer, masks, live, chip.core.engines, array),
        live=live,
        owner=_owners(layer, workload.batch, slices),
        operand_bits=masks.operand_bits(layer, chip.precision.input),
        norm=norm,
        state=_state(layer, chip),
        producers=[plan.layers[source] for source in distinct],
    )


def _state(layer: Layer, chip: ChipConfig) -> StatePolicy:
    """How a layer's state is saved; the last exception that names it wins."""
    policy = chip.mapping.state
    for name, exception in chip.mapping.states:
        policy = exception if name == layer.name else policy
    return policy


def _live(layer: Layer, masks: Masks, norm: NormPolicy | None, chip: ChipConfig) -> Bools:
    """The (step, sample) pairs whose dY is not skipped whole; batch statistics leave no zeros."""
    gradients = masks.gradients(layer.index)
    if norm == "exact" or not chip.core.skip_slices:
        return np.ones(gradients.shape[:2], np.bool_)
    return np.asarray(gradients.any(axis=(2, 3, 4)))


def _owners(
    layer: Layer, batch: int, slices: list[Slice]
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    k, rows, _ = layer.pooled_shape
    owner = np.full((batch, k, rows), -1, dtype=np.int64)
    for part in slices:
        at = part.neurons
        pooled = finished_rows(layer.pool, at.rows, layer.out_shape[1], rows)
        owner[slice(*at.samples), slice(*at.channels), slice(*pooled)] = part.index
    return owner
