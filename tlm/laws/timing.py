"""Timing: every engine's time is accounted for, and every DRAM channel refreshes in time."""

from __future__ import annotations

from collections.abc import Iterator

from tlm.hardware.chip import Chip
from tlm.laws.check import Check
from tlm.space.phase import ENGINES
from tlm.space.trace_rows import EngineState


def refreshes(chip: Chip) -> Iterator[Check]:
    """Every channel refreshes once per tREFI; the last refresh may still be to come."""
    due = chip.env.now // (chip.timing.trefi_clk * chip.timing.tck_ps)
    counts = [channel.counters.refreshes for channel in chip.controllers]
    in_time = all(due - 1 <= count <= due for count in counts)
    yield Check("DRAM refreshed in time", in_time, f"{counts}, due {due}")


def engine_time(chip: Chip) -> Iterator[Check]:
    """Each engine's intervals fill the run, and its computing time is that of its cycles."""
    now = chip.env.now
    ragged = [e.path for e in chip.engines if sum(e.spent_ps) != now or e.accounted_ps != now]
    yield Check("intervals tile the run", not ragged, f"{ragged}")
    periods = [chip.config.core.period_of(core) for core in range(chip.config.cores)]
    wrong = [
        e.path
        for e in chip.engines
        if e.spent_ps[EngineState.COMPUTE]
        != periods[e.unit // len(ENGINES)] * sum(t.cycles for t in e.tallies.values())
    ]
    yield Check("computing time is cycles", not wrong, f"{wrong}")
