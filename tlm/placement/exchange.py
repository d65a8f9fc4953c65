"""Exchange: replicas of the same weights send each other shares of dW, or new weights.

Each sends to the others one after the other, in the same order, so that many are on their way to
one core at a time. They share its port, and the links on the way there, evenly. A replica that
begins sooner is ahead of that crowd.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.config.fabric import Mesh
from tlm.placement.mesh_traffic import way
from tlm.space.array_types import Floats, Ints
from tlm.space.grid import Grid

NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class _Flows:
    """What the slices of a grid send: [slice, group], groups of ``reach`` replicas at a time.

    ``links`` [slice, group, place] are those on all ways to a group, ``loads`` what part of a flow
    each of them carries, ``receivers`` how many there are.
    """

    links: Ints
    loads: Floats
    receivers: Ints

    @classmethod
    def of(cls, grid: Grid, reach: int, mesh: Mesh) -> _Flows:
        """The flows of a grid whose slices send to ``reach`` replicas at a time."""
        slices = len(grid.cores)
        replicas = [list(range(at % grid.split.k, slices, grid.split.k)) for at in range(slices)]
        targets = [
            [
                [grid.cores[to] for to in alike[first : first + reach] if to != at]
                for first in range(0, len(alike), reach)
            ]
            for at, alike in enumerate(replicas)
        ]
        ways = [
            [[link for to in group for link in way(grid.cores[at], to, mesh)] for group in groups]
            for at, groups in enumerate(targets)
        ]
        longest = max(len(links) for groups in ways for links in groups)
        links = np.zeros((slices, len(ways[0]), longest), np.int64)
        loads = np.zeros(links.shape)
        receivers = np.array([[len(group) for group in groups] for groups in targets])
        for at, groups in enumerate(ways):
            for group, passed in enumerate(groups):
                links[at, group, : len(passed)] = passed
                loads[at, group, : len(passed)] = 1 / max(1, receivers[at, group])
        return cls(links, loads, receivers)


def exchanged(starts: Floats, share: float, reach: int, grid: Grid, mesh: Mesh) -> Floats:
    """When every slice has the shares of all its replicas, which begin to send at ``starts``.

    ``share`` is the time of one of them through a port; a sender's window of transactions reaches
    over ``reach`` of them, so that it sends to as many replicas at a time. Exact for flows that
    share links evenly.
    """
    flows = _Flows.of(grid, reach, mesh)
    senders, groups = flows.receivers.shape
    amounts = share * flows.receivers
    left, at = amounts[:, 0].copy(), np.zeros(senders, np.int64)
    now = float(starts.min())
    arrived = np.full((groups, grid.split.k), now)
    while (at < groups).any():
        sending = np.flatnonzero((starts <= now) & (at < groups))
        later = float(starts[starts > now].min(initial=NEVER))
        if not len(sending):
            now = later
            continue
        rate = _rates(flows.links[sending, at[sending]], flows.loads[sending, at[sending]])
        passed = min(float((left[sending] / rate).min()), later - now)
        now += passed
        left[sending] -= passed * rate
        done = sending[left[sending] <= share * 1e-6]
        arrived[at[done], done % grid.split.k] = now
        at[done] += 1
        going = done[at[done] < groups]
        left[going] = amounts[going, at[going]]
    replica, channel = np.divmod(np.arange(senders), grid.split.k)
    return np.asarray(arrived[replica // reach, channel])


def _rates(links: Ints, loads: Floats) -> Floats:
    """The part of a link that every flow [flow, place] has: of the fullest on its way."""
    crowd = np.bincount(links.ravel(), loads.ravel())
    return np.asarray(1 / np.maximum(1.0, np.where(loads > 0, crowd[links], 0.0).max(axis=1)))
