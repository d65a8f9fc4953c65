"""The trace of a federated run as a Perfetto timeline: a track for each worker."""

from __future__ import annotations

from typing import IO

from tlm.space.trace_rows import PHASE_NONE, ActivityRow, EngineState
from tlm.trace.perfetto import SliceEdge, stream, write_edge, write_track
from tlm.trace.reader import Trace

_DOINGS = {
    EngineState.COMPUTE: "trains",
    EngineState.STALL_NOC: "on the network",
    EngineState.STALL_DEPENDENCY: "waits for other workers",
}


def write_workers(trace: Trace, file: IO[bytes]) -> None:
    """Write the timeline, slice by slice.

    Raises:
        TraceError: the extra ``timeline`` is not installed.
    """
    writer = stream(file)
    for unit in trace.unit_ids("worker").tolist():
        track = unit + 1
        write_track(writer, track, trace.units[unit].path)
        for values in trace.activity[trace.activity["unit"] == unit].tolist():
            row = ActivityRow._make(values)
            adds = row.what == EngineState.COMPUTE and row.phase != PHASE_NONE
            name = f"round {row.task}: {'averages' if adds else _DOINGS[EngineState(row.what)]}"
            edge = SliceEdge(row.begin, name, span_ps=(row.begin, row.end))
            write_edge(writer, track, edge)
            write_edge(writer, track, SliceEdge(row.end))
