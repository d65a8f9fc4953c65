"""What the engines did: time by state in windows, and whether the record has holes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tlm.space.array_types import Ints
from tlm.trace import Trace
from tlm.trace.schema import STATE_NAMES

ENGINE_KINDS = ("fp", "bp", "wg")


@dataclass(frozen=True)
class Utilisation:
    """Engine time by state.

    ``edges_ps`` has shape [W+1]; ``time_ps`` [states, W] in the order of
    ``tlm.trace.schema.STATE_NAMES``, summed over ``engines`` engines of one kind.
    """

    kind: str
    engines: int
    edges_ps: Ints
    time_ps: Ints

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of the engines' time spent in each state, [states, W], 0..1."""
        shares: NDArray[np.float64] = self.time_ps / self._available_ps
        return shares

    @property
    def other_shares(self) -> NDArray[np.float64]:
        """Share of the engines' time that no interval covers, [W]; 0 where they tile it."""
        covered = self.time_ps.sum(axis=0, dtype=np.int64)
        other: NDArray[np.float64] = 1.0 - covered / self._available_ps
        return other

    @property
    def _available_ps(self) -> Ints:
        available: Ints = np.maximum(1, np.diff(self.edges_ps) * self.engines)
        return available


@dataclass(frozen=True)
class Untiled:
    """A stretch of an engine's time that no interval covers (gap) or several do (overlap)."""

    unit: str
    fault: str
    begin_ps: int
    end_ps: int


def covered_time(begin_ps: Ints, end_ps: Ints, edges_ps: Ints) -> Ints:
    """Time the intervals cover in each window, ps, shape [W]; exact, overlaps count twice.

    The time covered before t is sum(max(0, t - begin)) - sum(max(0, t - end)), from cumulative
    sums of the sorted ends: O((n + W) log n). int64 sums may wrap; their differences do not.
    """
    covered = _elapsed_since(begin_ps, edges_ps) - _elapsed_since(end_ps, edges_ps)
    return np.diff(covered)


def utilisation(trace: Trace, kind: str, edges_ps: Ints) -> Utilisation:
    """Time by state of all engines of one kind (``fp``, ``bp`` or ``wg``)."""
    units = trace.unit_ids(kind)
    rows = trace.activity[np.isin(trace.activity["unit"], units)]
    states = [rows[rows["what"] == what] for what in range(len(STATE_NAMES))]
    time = [covered_time(state["begin"], state["end"], edges_ps) for state in states]
    return Utilisation(kind, len(units), edges_ps, np.array(time, dtype=np.int64))


def untiled(trace: Trace, end_ps: int) -> tuple[Untiled, ...]:
    """Where engines' intervals do not tile [0, ``end_ps``] without overlap; empty if they do."""
    faults: list[Untiled] = []
    for kind in ENGINE_KINDS:
        for unit in trace.unit_ids(kind):
            rows = trace.activity[trace.activity["unit"] == unit]
            faults.extend(_untiled_unit(trace.units[unit].path, rows, end_ps))
    return tuple(faults)


def _untiled_unit(path: str, rows: NDArray[np.void], end_ps: int) -> list[Untiled]:
    rows = rows[rows["begin"] < rows["end"]]
    rows = rows[np.argsort(rows["begin"], kind="stable")]
    begin = np.append(rows["begin"], end_ps)
    covered = np.concatenate(([0], np.maximum.accumulate(rows["end"])))
    shared = np.minimum(covered, np.append(rows["end"], covered[-1]))
    return [
        Untiled(path, "gap", int(covered[i]), int(begin[i]))
        if covered[i] < begin[i]
        else Untiled(path, "overlap", int(begin[i]), int(shared[i]))
        for i in np.flatnonzero(begin != covered)
    ]


def _elapsed_since(times_ps: Ints, edges_ps: Ints) -> Ints:
    """Sum over ``times_ps`` of max(0, edge - time), for each edge."""
    ordered = np.sort(times_ps)
    sums = np.concatenate(([0], np.cumsum(ordered, dtype=np.int64)))
    before = np.searchsorted(ordered, edges_ps)
    elapsed: Ints = before * edges_ps - sums[before]
    return elapsed
