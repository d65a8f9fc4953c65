"""Exchange: replicas of the same weights send each other shares of dW, or new weights.

Each sends to the others one after the other, in the same order, so that many are on their way to
one core at a time and share its port evenly. A replica that begins sooner is ahead of that crowd.
"""

from __future__ import annotations

import numpy as np

from tlm.space.array_types import Floats

NEVER = float("inf")


def exchanged(starts: Floats, share: float, reach: int) -> Floats:
    """When every replica has the shares of all others, which begin to send at ``starts``.

    ``share`` is the time of one of them through a port; a sender's window of transactions reaches
    over ``reach`` of them, so that it sends to as many replicas at a time. Exact for flows that
    share ports evenly.
    """
    replicas = len(starts)
    senders, group = np.arange(replicas), np.arange(replicas) // reach  # of receivers
    groups = int(group[-1]) + 1
    ports = np.bincount(group)
    amounts = share * (ports - (group[:, None] == np.arange(groups)))
    left, at, arrived = (
        amounts[:, 0].copy(),
        np.zeros_like(senders),
        np.repeat(starts.min(), groups),
    )
    now = float(starts.min())
    while (at < groups).any():
        sending = senders[(starts <= now) & (at < groups)]
        later = float(starts[starts > now].min(initial=NEVER))
        if not len(sending):
            now = later
            continue
        target = at[sending]
        crowd = np.bincount(target, minlength=groups)
        rate = np.minimum(1.0, ports / np.maximum(1, crowd))[target]
        passed = min(float((left[sending] / rate).min()), later - now)
        now += passed
        left[sending] -= passed * rate
        done = sending[left[sending] <= share * 1e-6]
        arrived[at[done]] = now
        at[done] += 1
        going = done[at[done] < groups]
        left[going] = amounts[going, at[going]]
    return np.asarray(arrived[group])
