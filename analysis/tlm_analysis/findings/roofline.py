"""Roofline by phase: operations per byte against what arrays, DRAM and its mesh ports could do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tlm.config.chip import ChipConfig
from tlm.trace import EngineState, Trace
from tlm.trace.schema import PHASE_NAMES
from tlm.trace.summary import Summary
from tlm_analysis.findings.activity import ENGINE_KINDS
from tlm_analysis.reading.coverage import require_whole


@dataclass(frozen=True)
class RooflinePoint:
    """One phase: multiply-accumulates executed, DRAM bytes moved, and the time it was active."""

    phase: str
    macs: int
    dram_nbytes: int
    active_ps: int

    @property
    def intensity(self) -> float:
        """Multiply-accumulates per DRAM byte."""
        return self.macs / max(1, self.dram_nbytes)

    @property
    def gmac_s(self) -> float:
        """1e9 multiply-accumulates per second, while the phase was active."""
        return self.macs / max(1, self.active_ps) * 1e3


@dataclass(frozen=True)
class Roofline:
    """The points and their roofs.

    ``peak_gmac_s`` is that of all arrays of the kind of engine with most; ``dram_gb_s`` the peak
    of all channels; ``ports_gb_s`` what the mesh carries to or from all channels, one way, or None
    where its links are never busy.
    """

    points: tuple[RooflinePoint, ...]
    peak_gmac_s: float
    dram_gb_s: float
    ports_gb_s: float | None


def roofline(trace: Trace, summary: Summary, chip: ChipConfig) -> Roofline:
    """Every phase that multiplies; a slot is one cycle of an array, all its MACs counted.

    Raises:
        TraceError: the trace covers a part of its run, while the operations are those of all.
    """
    require_whole(trace, "a roofline")
    engines = {kind: getattr(chip.core.engines, kind) for kind in ENGINE_KINDS}
    array = {kind: engine.rows * engine.cols for kind, engine in engines.items()}
    peak = max(array.values()) * chip.core_cycles_per_s / 1e9
    ports = None
    if chip.noc.model != "ideal":
        ports = chip.dram.channels * chip.noc.link / 8 * chip.noc.clock / 1e9
    points = [
        point
        for phase, name in enumerate(PHASE_NAMES)
        if (point := _point(trace, phase, _executed_slots(summary, name), array)) is not None
    ]
    return Roofline(tuple(points), peak, summary.dram.peak_gb_s, ports)


def _point(trace: Trace, phase: int, slots: int, array: Mapping[str, int]) -> RooflinePoint | None:
    rows = trace.activity[trace.activity["phase"] == phase]
    computing = rows[rows["what"] == EngineState.COMPUTE]
    if not slots or not len(computing):
        return None
    moves = trace.transactions
    moved = moves["nbytes"][(moves["phase"] == phase) & _to_dram(trace)]
    kind = trace.units[int(computing["unit"][0])].kind
    nbytes = int(moved.sum(dtype=np.int64))
    return RooflinePoint(PHASE_NAMES[phase], slots * array[kind], nbytes, _union_ps(rows))


def _executed_slots(summary: Summary, phase: str) -> int:
    return sum(work[phase].executed_slots for work in summary.work.values() if phase in work)


def _to_dram(trace: Trace) -> NDArray[np.bool_]:
    dram = np.array([unit.kind == "dram" for unit in trace.units])
    chosen: NDArray[np.bool_] = dram[trace.transactions["target"]]
    return chosen


def _union_ps(rows: NDArray[np.void]) -> int:
    """Time covered by at least one of the intervals, ps."""
    order = np.argsort(rows["begin"], kind="stable")
    begin = rows["begin"][order]
    reached = np.maximum.accumulate(rows["end"][order])
    before = np.concatenate((begin[:1], np.maximum(begin[1:], reached[:-1])))
    return int(np.maximum(0, reached - before).sum())
