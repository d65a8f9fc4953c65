"""Which part of its run a trace covers, so that none is read as the whole."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.errors import TraceError
from tlm.quantity_text import time_text
from tlm.trace import Trace


@dataclass(frozen=True)
class Coverage:
    """The time that a trace covers, ps; ``note`` says so in words, empty for a whole run."""

    begin_ps: int
    end_ps: int
    note: str


def makespan_ps(trace: Trace) -> int:
    """End of the last recorded interval or transaction."""
    ends = (trace.activity["end"], trace.transactions["end_resp"])
    return max(int(end.max(initial=0)) for end in ends)


def require_whole(trace: Trace, what: str) -> None:
    """Refuse a trace that does not cover its run.

    Raises:
        TraceError: it does not.
    """
    if not trace.complete:
        raise TraceError(
            f"{trace.path}: {what} needs the trace of a whole run; run it again without "
            "--trace-window, or with a larger --trace-budget"
        )


def coverage(trace: Trace) -> Coverage:
    """From 0 to the last record, or as much of the trace's window as the run reached.

    A trace that stopped early (budget, full disk, a killed run) holds records in the order in which
    they ended: what lasted beyond the last one is missing.
    """
    end_ps = makespan_ps(trace)
    if trace.complete:
        return Coverage(0, end_ps, "")
    if trace.window_ps is None:
        note = f"The trace was cut short at {time_text(end_ps)}: what follows is missing"
        return Coverage(0, end_ps, note)
    first, last = trace.window_ps
    end_ps = max(first, min(last, end_ps))
    return Coverage(first, end_ps, f"Only {time_text(first)} to {time_text(end_ps)} were traced")
