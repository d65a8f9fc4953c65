"""Lanes that walk their own non-zeros: cycles of a pass in mode ``element``.

A cycle lets one group of slots into the lanes' queues, where every lane has room for ``depth``
groups. With nz_r(i) the non-zeros of lane r in group i:

    enter(i)    = max(enter(i - 1) + 1, max over r of finish_r(i - depth)),    enter(-1) = 0
    finish_r(i) = max(finish_r(i - 1), enter(i)) + nz_r(i),                    finish_r(-1) = 0

and the pass ends with its slowest lane. Within ``depth`` groups nothing waits for the others, so
both lines are maxima of running sums there (a max-plus scan).
"""

from __future__ import annotations

import numpy as np

from tlm.space.array_types import Ints


def lane_cycles(work: Ints, depth: int) -> Ints:
    """Cycles of passes whose lanes have ``work`` [group, ..., lane], each non-zero one cycle.

    ``depth`` is the queues' length in groups; the result has the axes between the first and last.
    """
    entered = np.zeros(work.shape[1:-1], np.int64)
    finished = np.zeros(work.shape[1:], np.int64)
    room = np.zeros((min(depth, len(work)), *entered.shape), np.int64)
    for start in range(0, len(work), depth):
        part = work[start : start + depth].astype(np.int64)
        index = np.arange(len(part)).reshape(-1, *(1,) * entered.ndim)
        ready = room[: len(part)]
        ready[0] = np.maximum(ready[0], entered + 1)
        enter = np.maximum.accumulate(ready - index, axis=0) + index
        before = part.cumsum(axis=0) - part
        lead = enter[..., None] - before
        lead[0] = np.maximum(lead[0], finished)
        finish = np.maximum.accumulate(lead, axis=0) + before + part
        entered, finished, room = enter[-1], finish[-1], finish.max(axis=-1)
    return np.asarray(finished.max(axis=-1))
