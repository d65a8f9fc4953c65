"""What enters a layer and which dS leave it, found apart from :mod:`tlm.mapping.masks`.

Pools are walked window element by window element; the invariants count useful operations by these.
"""

from __future__ import annotations

import numpy as np

from tlm.mapping.counts import Bools
from tlm.mapping.masks import Whole
from tlm.mapping.plan import LayerPlan
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
    _, height, width = pool.pooled((0, *values.shape[3:]))
    kind = np.int8 if values.dtype == np.bool_ else np.int32  # -1, outside, is below all values
    best = np.full((*values.shape[:3], height, width), -1, kind)
    chosen = np.zeros(best.shape, np.bool_)
    for y in range(pool.size):
        for x in range(pool.size):
            rows, inside_y = _reach(y, pool, height, values.shape[3])
            columns, inside_x = _reach(x, pool, width, values.shape[4])
            inside = inside_y[:, None] & inside_x
            flag = flags[..., rows[:, None], columns] & inside
            if pool.kind == "average":
                chosen |= flag
                continue
            value = values[..., rows[:, None], columns].astype(kind)
            value[..., ~inside] = -1
            better = value > best
            np.copyto(best, value, where=better)
            np.copyto(chosen, flag, where=better)
    return chosen


def _reach(at: int, pool: Pool, windows: int, size: int) -> tuple[np.ndarray, Bools]:
    """Where element ``at`` of every window lies along one side, and whether it is in the image."""
    places = np.arange(windows) * pool.stride - pool.padding + at
    return places.clip(0, size - 1), (places >= 0) & (places < size)
