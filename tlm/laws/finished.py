"""Nothing is left undone, and every engine's time is accounted for."""

from __future__ import annotations

from collections.abc import Iterator

from tlm.hardware.chip import Chip
from tlm.hardware.dram.channel import DramChannel
from tlm.laws.check import Check
from tlm.space.phase import ENGINES
from tlm.space.trace_rows import EngineState


def all_done(chip: Chip) -> Iterator[Check]:
    """No process left waiting, no packet or transaction left inside."""
    left = chip.waiting()
    yield Check("programs finished", not left, f"{len(left)} engines left with work")
    short = [done.label for done in chip.completions if done.remaining]
    yield Check("completions arrived", not short, f"{len(short)} completions short {short[:1]}")
    pending = sum(engine.dma.outstanding + len(engine.dma.queue) for engine in chip.engines)
    yield Check("no transaction pending", pending == 0, f"{pending} pending")
    yield Check("no packet in flight", chip.network.in_flight == 0,
                f"{chip.network.in_flight} in flight")  # fmt: skip
    waiting = sum(c.waiting for c in chip.channels if isinstance(c, DramChannel))
    yield Check("DRAM queues empty", waiting == 0, f"{waiting} bursts waiting")
    early = sum(engine.early for engine in chip.engines)
    yield Check("tiles after what they need", early == 0, f"{early} tiles too early")
    late = sum(c.late for c in chip.channels if isinstance(c, DramChannel))
    yield Check("DRAM answers on time", late == 0, f"{late} answers late")


def time_accounted(chip: Chip) -> Iterator[Check]:
    """Each engine's intervals tile the run: as long as it, and computing as long as its cycles."""
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
