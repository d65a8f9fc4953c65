"""Where engine time went: by layer and phase, and engine by engine over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tlm.space.array_types import Ints
from tlm.space.trace_rows import PHASE_NONE
from tlm.trace import EngineState, Trace
from tlm.trace.schema import PHASE_NAMES, STATE_NAMES
from tlm_analysis.findings.activity import ENGINE_KINDS, covered_time


@dataclass(frozen=True)
class Breakdown:
    """Engine time by phase and layer, in training order.

    ``phases`` (names) and ``layers`` (numbers) label the rows of ``time_ps``, shape [rows, states]
    in the order of ``tlm.trace.schema.STATE_NAMES``. ``available_ps`` is the time of all engines.
    """

    phases: tuple[str, ...]
    layers: tuple[int, ...]
    time_ps: Ints
    available_ps: int

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of all engines' time, [rows, states], 0..1."""
        shares: NDArray[np.float64] = self.time_ps / max(1, self.available_ps)
        return shares


@dataclass(frozen=True)
class BusyMap:
    """Share of each window that each engine computed, [engines, W], 0..1; core by core."""

    engines: tuple[str, ...]
    edges_ps: Ints
    shares: NDArray[np.float64]


def breakdown(trace: Trace, end_ps: int, begin_ps: int = 0) -> Breakdown:
    """Engine time up to ``end_ps`` by phase, layer and state; idle time is left out."""
    rows = trace.activity[trace.activity["phase"] != PHASE_NONE]
    key = rows["phase"].astype(np.int64) << 16 | (rows["layer"].astype(np.int64) & 0xFFFF)
    groups, first, group = np.unique(key, return_index=True, return_inverse=True)
    time_ps = np.zeros((len(groups), len(STATE_NAMES)), dtype=np.int64)
    inside = np.clip(rows["end"], begin_ps, end_ps) - np.clip(rows["begin"], begin_ps, end_ps)
    np.add.at(time_ps, (group, rows["what"]), inside)
    engines = sum(len(trace.unit_ids(kind)) for kind in ENGINE_KINDS)
    return Breakdown(
        tuple(PHASE_NAMES[key >> 16] for key in groups.tolist()),
        tuple(rows["layer"][first].tolist()),
        time_ps,
        engines * (end_ps - begin_ps),
    )


def busy_map(trace: Trace, edges_ps: Ints) -> BusyMap:
    """What each engine computed in each window; engines of a core stand together."""
    rows = trace.activity[trace.activity["what"] == EngineState.COMPUTE]
    rows = rows[np.argsort(rows["unit"], kind="stable")]
    units = [i for i, unit in enumerate(trace.units) if unit.kind in ENGINE_KINDS]
    first = np.searchsorted(rows["unit"], units)
    last = np.searchsorted(rows["unit"], units, side="right")
    width = np.maximum(1, np.diff(edges_ps))
    shares = [
        covered_time(rows["begin"][i:j], rows["end"][i:j], edges_ps) / width
        for i, j in zip(first, last, strict=True)
    ]
    return BusyMap(tuple(trace.units[i].path for i in units), edges_ps, np.array(shares))
