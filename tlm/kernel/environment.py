"""SimPy's environment, with the types this project uses it with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import simpy

from tlm.kernel.transaction import Transaction


class Environment(simpy.Environment):
    """Stock SimPy; time is an integer count of ps, and anything event-like can be scheduled."""

    if TYPE_CHECKING:

        @property
        def now(self) -> int: ...

        def schedule(self, event: Any, priority: Any = 1, delay: int = 0) -> None: ...  # type: ignore[override]

    def advance(self, limit: int, done: Any) -> int:
        """Process up to ``limit`` events, or until ``done`` is complete; returns how many.

        Fewer than ``limit`` without ``done`` being complete means that no event is left.
        """
        step, events = self.step, 0
        while events < limit and self._queue:
            step()
            events += 1
            if done.remaining == 0:
                break
        return events

    def clear(self) -> None:
        """Drop all events to come, when a run is over: a compiled chip is not freed before."""
        self._queue.clear()

    def transactions(self) -> list[Any]:
        """The transactions that have an event of their own to come, in order of their times."""
        queue: list[tuple[Any, ...]] = sorted(self._queue)
        return [entry[-1] for entry in queue if isinstance(entry[-1], Transaction)]
