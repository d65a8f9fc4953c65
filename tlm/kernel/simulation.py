"""The run loop: integer picoseconds, an explicit end, and a report when it is never reached."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from simpy.core import EmptySchedule

from tlm.kernel.environment import Environment
from tlm.kernel.server import Done

EVENTS_PER_LOOK = 20_000  # events between two looks at the clock: 1/50 s, free of measurable cost
LIVELOCK_LOOKS = 50  # so many looks at an unmoved clock, a million events, are a livelock


class StuckError(RuntimeError):
    """The heap is empty, or time stands still, although the run is not done."""


def run_until(
    env: Environment, done: Done, on_look: Callable[[int, int], None] | None = None
) -> int:
    """Step ``env`` until ``done`` is complete; return the number of events processed.

    ``env.run()`` would return normally from a deadlock and report a shorter time; this never does.

    Args:
        env: the environment, its time an integer count of ps.
        done: the completion that ends the run.
        on_look: called now and then with (time in ps, events so far); it may raise to stop.

    Raises:
        StuckError: no event is left, or a million events passed without time moving.
    """
    events = 0
    idle_looks, last = 0, -1
    with _collector_paused():
        while not done.complete:
            events += _step(env, done)
            idle_looks = idle_looks + 1 if env.now == last else 0
            last = env.now
            if idle_looks >= LIVELOCK_LOOKS:
                raise StuckError(f"time stands still at {env.now} ps")
            if on_look is not None:
                on_look(last, events)
    return events


def _step(env: Environment, done: Done) -> int:
    """Process events up to the next look or the end; returns how many."""
    step, events = env.step, 0
    try:
        for events in range(1, EVENTS_PER_LOOK + 1):  # noqa: B007 (used after the loop)
            step()
            if done.remaining == 0:
                break
    except EmptySchedule:
        raise StuckError(f"no event left at {env.now} ps") from None
    return events


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Do without cyclic garbage collection: transactions leave no cycles behind.

    Measured on a whole chip: 10 % more transactions a second, at the same peak memory.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
