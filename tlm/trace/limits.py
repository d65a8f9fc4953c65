"""How much of a run the trace may hold: a byte budget, and a window of simulated time."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.config import units
from tlm.errors import TraceError

MIN_BUDGET_BYTES = 4 << 20  # room for a chunk of each table before it is compressed

TraceWindow = tuple[int, int]  # ps, begin <= time < end


@dataclass(frozen=True, slots=True)
class TraceLimits:
    """``budget_bytes`` bounds the file's size, ``window_ps`` what is recorded; None bounds nothing.

    A transaction or interval is recorded if any part of it lies in the window.
    """

    budget_bytes: int | None = None
    window_ps: TraceWindow | None = None


NO_LIMITS = TraceLimits()


def parse_limits(budget: str | None, window: str | None) -> TraceLimits:
    """The limits written as ``500 MB`` and ``10 us:20 us``.

    Raises:
        TraceError: a quantity without its unit, a budget too small to hold anything, or a window
            that ends before it begins.
    """
    return TraceLimits(
        None if budget is None else _budget(budget), None if window is None else _window(window)
    )


def _budget(text: str) -> int:
    nbytes = int(_parsed("--trace-budget", units.BYTES, text))
    if nbytes < MIN_BUDGET_BYTES:
        raise TraceError(
            f"--trace-budget: expected at least {MIN_BUDGET_BYTES >> 20} MiB, room for one block "
            f'of rows, got "{text}"; give more, or --trace off'
        )
    return nbytes


def _window(text: str) -> TraceWindow:
    begin, colon, end = text.partition(":")
    if not colon:
        raise TraceError(
            f'--trace-window: expected BEGIN:END (such as "10 us:20 us"), got "{text}"'
        )
    first = int(_parsed("--trace-window", units.TIME, begin)) if begin.strip() != "0" else 0
    last = int(_parsed("--trace-window", units.TIME, end))
    if last <= first:
        raise TraceError(f'--trace-window: ends before it begins: "{text}"; give BEGIN:END')
    return first, last


def _parsed(option: str, kind: units.UnitKind, text: str) -> int | float:
    try:
        return units.parse(kind, text.strip())
    except ValueError as error:
        raise TraceError(f"{option}: {error}") from None
