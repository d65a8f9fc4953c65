"""The critical path: from the last event back to time 0, which resource held the run up when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tlm.space.array_types import Ints
from tlm.space.trace_rows import PHASE_NONE
from tlm.trace import EngineState, Trace
from tlm.trace.schema import COMMAND_NAMES, PHASE_NAMES
from tlm_analysis.findings.activity import ENGINE_KINDS
from tlm_analysis.reading.coverage import require_whole

READ, WRITE = COMMAND_NAMES.index("read"), COMMAND_NAMES.index("write")
RESOURCES = (*ENGINE_KINDS, "dram", "noc", "queue", "writeback", "dependency", "idle")
_OF_STALL = {
    EngineState.STALL_DRAM: "dram",
    EngineState.STALL_NOC: "noc",
    EngineState.STALL_WRITEBACK: "writeback",
    EngineState.STALL_DEPENDENCY: "dependency",
    EngineState.NOT_BEGUN: "dependency",
    EngineState.IDLE: "idle",
}


@dataclass(frozen=True)
class CriticalPath:
    """Stretches that follow each other without gap from 0 to the end of the run, latest first.

    Arrays of shape [stretches]: ``begin_ps``, ``end_ps``, ``resource`` (index of ``RESOURCES``),
    ``phase`` (of the trace) and ``layer``. ``queue`` is time that requests spent on their way to a
    DRAM channel beyond the least that the same route, command and size ever took: busy links or a
    full controller, which a trace does not tell apart. ``writeback``, ``dependency`` and ``idle``
    hold what could not be traced to a cause.
    """

    begin_ps: Ints
    end_ps: Ints
    resource: Ints
    phase: Ints
    layer: Ints

    @property
    def shares(self) -> dict[str, float]:
        """Share of the run by resource; they add up to 1."""
        return {name: self._share(self.resource == i) for i, name in enumerate(RESOURCES)}

    @property
    def shares_by_phase(self) -> dict[str, dict[str, float]]:
        """Share of the run by phase and resource, phases in training order, without zeros."""
        by_phase: dict[str, dict[str, float]] = {}
        for phase in np.unique(self.phase).tolist():
            name = PHASE_NAMES[phase] if phase != PHASE_NONE else "none"
            mine = self.phase == phase
            shares = {r: self._share(mine & (self.resource == i)) for i, r in enumerate(RESOURCES)}
            by_phase[name] = {resource: share for resource, share in shares.items() if share}
        return by_phase

    def _share(self, chosen: NDArray[np.bool_]) -> float:
        length = self.end_ps - self.begin_ps
        return float(length[chosen].sum() / max(1, length.sum()))


def critical_path(trace: Trace) -> CriticalPath:
    """Walk back from the last event of a run along recorded intervals and transactions.

    Every recorded wait ends at the instant at which its cause ends, to the ps, so the walk needs
    no other record. From an engine at time t: computing is the engine's own time, and the walk
    goes on at its begin; a wait for DRAM ends with a read of the engine (else with a write by
    which data became readable), one for the NoC with a message to its core, one for write-back
    with a write or message of its own, one for other work with a computation of another engine,
    of the same core if there is one. A transaction divides into request and response (NoC, or
    queue) and its time in the channel (DRAM); it was issued when its engine came to an interval's
    end, when another transaction of the engine freed a place in the DMA's window, or, of a read,
    when a write made its data readable. A wait without such a cause counts as itself. Ties go to
    the first recorded.

    Raises:
        TraceError: the trace covers a part of its run only.
    """
    require_whole(trace, "a critical path")
    walk = _Walk(trace)
    walk.run()
    columns = np.array(walk.stretches, dtype=np.int64).reshape(-1, 5)
    return CriticalPath(*columns.T)


class _Walk:
    def __init__(self, trace: Trace) -> None:
        self.stretches: list[tuple[int, int, int, int, int]] = []
        self._index_units(trace)
        activity = trace.activity[trace.activity["end"] > trace.activity["begin"]]
        order = np.lexsort((activity["begin"], activity["unit"]))
        self._rows = activity[order]
        self._first = np.searchsorted(self._rows["unit"], np.arange(len(trace.units) + 1))
        self._ends = np.ascontiguousarray(self._rows["end"])
        computing = np.flatnonzero(self._rows["what"] != EngineState.IDLE)
        self._by_end = computing[np.argsort(self._ends[computing], kind="stable")]
        self._sorted_ends = self._ends[self._by_end]
        self._moves = trace.transactions
        self._moves_by_end = np.argsort(self._moves["end_resp"], kind="stable")
        self._move_ends = self._moves["end_resp"][self._moves_by_end]
        self._least_request_ps = _least_request_ps(self._moves)

    def _index_units(self, trace: Trace) -> None:
        cores = [unit.path.rpartition(".")[0] for unit in trace.units]
        self._core = np.unique(cores, return_inverse=True)[1]
        self._dram = np.array([unit.kind == "dram" for unit in trace.units])
        self._kind = [
            RESOURCES.index(unit.kind) if unit.kind in ENGINE_KINDS else -1 for unit in trace.units
        ]

    def run(self) -> None:
        """Start at the engine that worked or waited last."""
        if not len(self._by_end):
            return
        place = int(self._by_end[-1])
        unit, now = int(self._rows["unit"][place]), int(self._ends[place])
        passed: set[int] = set()  # units the walk has come through at this very time
        while now > 0:
            before = now
            unit, now = self._engine(unit, now, passed)
            passed = passed | {unit} if now == before else {unit}

    def _engine(self, unit: int, now: int, passed: set[int]) -> tuple[int, int]:
        """One step back from an engine at a time; returns where the walk goes on."""
        place = int(np.searchsorted(self._ends[self._first[unit] : self._first[unit + 1]], now))
        if self._first[unit] + place == self._first[unit + 1]:
            return self._untraced(unit, now, 0, "idle", PHASE_NONE, -1)
        row = self._rows[self._first[unit] + place]
        what, begin = int(row["what"]), int(row["begin"])
        if what == EngineState.COMPUTE:
            self._add(begin, now, self._kind[unit], int(row["phase"]), int(row["layer"]))
            return unit, begin
        if now == row["end"]:
            move = self._cause(what, unit, now)
            if move >= 0:
                return self._transactions(move)
            if what in (EngineState.STALL_DEPENDENCY, EngineState.NOT_BEGUN):
                other = self._producer(unit, now, passed)
                if other >= 0:
                    return other, now
        resource = _OF_STALL[EngineState(what)]
        return self._untraced(unit, now, begin, resource, int(row["phase"]), int(row["layer"]))

    def _untraced(
        self, unit: int, now: int, begin: int, resource: str, phase: int, layer: int
    ) -> tuple[int, int]:
        self._add(begin, now, RESOURCES.index(resource), phase, layer)
        return unit, begin

    def _cause(self, what: int, unit: int, now: int) -> int:
        """The transaction that ended a wait; -1 if there is none."""
        moves = self._ending(now)
        command, initiator = self._moves["command"][moves], self._moves["initiator"][moves]
        mine = initiator == unit
        if what == EngineState.STALL_DRAM:
            causes = moves[mine & (command == READ)]
            if not len(causes):
                causes = moves[command == WRITE]
        elif what == EngineState.STALL_NOC:
            core = self._core[self._moves["target"][moves]]
            causes = moves[(command > WRITE) & (core == self._core[unit])]
        elif what == EngineState.STALL_WRITEBACK:
            causes = moves[mine & (command != READ)]
        else:
            return -1
        return int(causes[0]) if len(causes) else -1

    def _ending(self, now: int) -> Ints:
        first = np.searchsorted(self._move_ends, now)
        return self._moves_by_end[first : np.searchsorted(self._move_ends, now, side="right")]

    def _transactions(self, move: int) -> tuple[int, int]:
        """Follow a transaction, and those that held its place in the window, to an engine."""
        while True:
            row = self._moves[move]
            unit, begin = int(row["initiator"]), int(row["begin_req"])
            self._legs(row, int(self._least_request_ps[move]))
            if begin == 0 or self._boundary(unit, begin):
                return unit, begin
            moves = self._ending(begin)
            earlier = moves[self._moves["initiator"][moves] == unit]
            if not len(earlier) and row["command"] == READ:
                earlier = moves[self._moves["command"][moves] == WRITE]
            if not len(earlier) or self._moves["begin_req"][earlier[0]] == begin:
                return unit, begin
            move = int(earlier[0])

    def _boundary(self, unit: int, now: int) -> bool:
        ends = self._ends[self._first[unit] : self._first[unit + 1]]
        place = int(np.searchsorted(ends, now))
        return place < len(ends) and int(ends[place]) == now

    def _legs(self, row: NDArray[np.void], least_request_ps: int) -> None:
        begin, taken, answered, end = (
            int(row[name]) for name in ("begin_req", "end_req", "begin_resp", "end_resp")
        )
        phase, layer = int(row["phase"]), int(row["layer"])
        noc = RESOURCES.index("noc")
        if not self._dram[row["target"]]:
            self._add(begin, end, noc, phase, layer)
            return
        self._add(answered, end, noc, phase, layer)
        self._add(taken, answered, RESOURCES.index("dram"), phase, layer)
        unloaded = begin + least_request_ps
        self._add(unloaded, taken, RESOURCES.index("queue"), phase, layer)
        self._add(begin, unloaded, noc, phase, layer)

    def _producer(self, unit: int, now: int, passed: set[int]) -> int:
        """An engine whose work ended now: computing first, on this core first; -1 if none."""
        first = np.searchsorted(self._sorted_ends, now)
        last = np.searchsorted(self._sorted_ends, now, side="right")
        places = self._by_end[first:last]
        best, rank = -1, (True, True)
        for place in places.tolist():
            other = int(self._rows["unit"][place])
            if other == unit or other in passed:
                continue
            computing = self._rows["what"][place] == EngineState.COMPUTE
            distance = (not computing, bool(self._core[other] != self._core[unit]))
            if best < 0 or distance < rank:
                best, rank = other, distance
        return best

    def _add(self, begin: int, end: int, resource: int, phase: int, layer: int) -> None:
        if end > begin:
            self.stretches.append((begin, end, resource, phase, layer))


def _least_request_ps(moves: NDArray[np.void]) -> Ints:
    """Least time from ``begin_req`` to ``end_req`` among equals of each transaction, ps."""
    route = moves["initiator"].astype(np.int64) << 16 | moves["target"]
    key = (route << 3 | moves["command"]) << 28 | moves["nbytes"]
    _, group = np.unique(key, return_inverse=True)
    least = np.full(int(group.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(least, group, moves["end_req"] - moves["begin_req"])
    return np.asarray(least[group])
