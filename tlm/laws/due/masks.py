"""What enters a layer and which dS leave it, found apart from :mod:`tlm.counts.masks`.

Pools are walked window element by window element; the invariants count useful operations by these.
"""

from __future__ import annotations

import numpy as np

from tlm.counts.masks import Whole
from tlm.space.array_types import Bools
from tlm.storage.plan import LayerPlan
from tlm.workload.model import Pool


def entering(layer_plan: LayerPlan) -> Bools:
    """Non-zero inputs of a layer, [T, B, *in_shape]."""
    if not layer_plan.producers:
        return layer_plan.masks.inputs(layer_plan.layer.index)
    found = np.logical_or.reduce([_output(one) for one in layer_plan.producers])
    if layer_plan.layer.input_pool is not None:
        found = _routed(layer_plan.layer.input_pool, found, found)
    return np.asarray(found.reshape(*found.shape[:2], *layer_plan.layer.in_shape))


def needed(layer_plan: LayerPlan) -> Bools:
    """Which dS of its inputs BP of a layer must compute, [T, B, *in_shape]."""
    found = np.logical_or.reduce([_need(one) for one in layer_plan.producers])
    if layer_plan.layer.input_pool is not None:
        found = _routed(
            layer_plan.layer.input_pool, layer_plan.masks.summed(layer_plan.layer), found
        )
    return np.asarray(found.reshape(*found.shape[:2], *layer_plan.layer.in_shape))


def _output(layer_plan: LayerPlan) -> Bools:
    spikes = layer_plan.masks.recording.spikes[layer_plan.layer.index]
    return (
        spikes if layer_plan.layer.pool is None else _routed(layer_plan.layer.pool, spikes, spikes)
    )


def _need(layer_plan: LayerPlan) -> Bools:
    recording, index = layer_plan.masks.recording, layer_plan.layer.index
    if layer_plan.layer.pool is None:
        return recording.masks[index]
    return _routed(layer_plan.layer.pool, recording.spikes[index], recording.masks[index])


def _routed(pool: Pool, values: Bools | Whole, flags: Bools) -> Bools:
    """For each window, the flag of its first largest value; of any, if the pool averages."""
    shape = pool.pooled((0, *values.shape[3:]))[1:]
    before, spans = pool.padding, [(n - 1) * pool.stride + 1 for n in shape]
    after = [
        max(0, span + pool.size - 1 - before - side)
        for span, side in zip(spans, values.shape[3:], strict=True)
    ]
    around = [(0, 0)] * 3 + [(before, one) for one in after]
    kind = np.int8 if values.dtype == np.bool_ else np.int32  # -1, outside, is below all values
    values = np.pad(values.astype(kind), around, constant_values=-1)
    flags = np.pad(flags, around)
    best = np.full((*values.shape[:3], *shape), -1, kind)
    chosen = np.zeros(best.shape, np.bool_)
    for y, x in np.ndindex(pool.size, pool.size):
        rows, columns = (
            slice(first, first + span, pool.stride)
            for first, span in zip((y, x), spans, strict=True)
        )
        value, flag = values[..., rows, columns], flags[..., rows, columns]
        if pool.kind == "average":
            chosen |= flag
            continue
        better = value > best
        np.copyto(best, value, where=better)
        np.copyto(chosen, flag, where=better)
    return chosen
