"""What enters a layer and which dS leave it, found apart from :mod:`tlm.counts.masks`.

Pools are walked window element by window element; the invariants count useful operations by these.
"""

from __future__ import annotations

import numpy as np

from tlm.counts.masks import Whole
from tlm.space.array_types import Bools
from tlm.storage.plan import LayerPlan
from tlm.workload.model import Pool


def entering(lp: LayerPlan) -> Bools:
    """Non-zero inputs of a layer, [T, B, *in_shape]."""
    if not lp.producers:
        return lp.masks.inputs(lp.layer.index)
    found = np.logical_or.reduce([_output(one) for one in lp.producers])
    if lp.layer.input_pool is not None:
        found = _routed(lp.layer.input_pool, found, found)
    return np.asarray(found.reshape(*found.shape[:2], *lp.layer.in_shape))


def needed(lp: LayerPlan) -> Bools:
    """Which dS of its inputs BP of a layer must compute, [T, B, *in_shape]."""
    found = np.logical_or.reduce([_need(one) for one in lp.producers])
    if lp.layer.input_pool is not None:
        found = _routed(lp.layer.input_pool, lp.masks.summed(lp.layer), found)
    return np.asarray(found.reshape(*found.shape[:2], *lp.layer.in_shape))


def _output(lp: LayerPlan) -> Bools:
    spikes = lp.masks.recording.spikes[lp.layer.index]
    return spikes if lp.layer.pool is None else _routed(lp.layer.pool, spikes, spikes)


def _need(lp: LayerPlan) -> Bools:
    recording, index = lp.masks.recording, lp.layer.index
    if lp.layer.pool is None:
        return recording.masks[index]
    return _routed(lp.layer.pool, recording.spikes[index], recording.masks[index])


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
