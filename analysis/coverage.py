"""Which part of its run a trace covers, so that none is read as the whole."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.activity import makespan_ps
from analysis.windows import time_text
from tlm.trace import Trace


@dataclass(frozen=True)
class Coverage:
    """The time that a trace covers, ps; ``note`` says so in words, empty for a whole run."""

    begin_ps: int
    end_ps: int
    note: str


def coverage(trace: Trace) -> Coverage:
    """From 0 to the last record, or as much of the trace's window as the run reached.

    A trace that stopped early (budget, full disk, a killed run) holds records in the order in which
    they ended: what lasted beyond the last one is missing.
    """
    end_ps = makespan_ps(trace)
    if trace.complete:
        return Coverage(0, end_ps, "")
    if trace.window_ps is None:
        return Coverage(0, end_ps, f"Trace cut short at {time_text(end_ps)}: not the whole run")
    first, last = trace.window_ps
    end_ps = min(last, end_ps)
    note = f"Traced from {time_text(first)} to {time_text(end_ps)} only: not the whole run"
    return Coverage(first, end_ps, note)
