"""SimPy's environment on the compiled queue of events."""

from __future__ import annotations

from typing import Any

from simpy.core import EmptySchedule

from tlm.compiled.queue import EventQueue
from tlm.kernel import Environment


class CompiledEnvironment(Environment):
    """Time and order of events are those of :class:`tlm.kernel.Environment`.

    Processes of SimPy and compiled servers share ``events``, the queue.
    """

    def __init__(self) -> None:
        super().__init__()
        self.events = EventQueue()
        self.schedule = self.events.schedule  # type: ignore[method-assign]

    @property
    def now(self) -> int:
        """The present time in ps."""
        now: int = self.events.now
        return now

    def peek(self) -> int | float:
        """The time of the next event in ps; infinity if there is none."""
        at: int | float = self.events.peek()
        return at

    def step(self) -> None:
        """Process the next event."""
        try:
            self.events.step()
        except IndexError:
            raise EmptySchedule from None

    def advance(self, limit: int, done: Any) -> int:
        """Process up to ``limit`` events, or until ``done`` is complete; returns how many."""
        events: int = self.events.advance(limit, done)
        return events

    def clear(self) -> None:
        """Drop all events to come: whoever ends a run before its last event has to."""
        self.events.clear()

    def transactions(self) -> list[Any]:
        """The transactions that have an event of their own to come, in order of their times."""
        coming: list[Any] = self.events.transactions()
        return coming
