"""Clock-domain crossings: what it costs to be seen by another clock (GALS)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Crossing:
    """The way into a clock domain of ``period_ps``, through a synchroniser of ``cycles`` stages.

    What is given at one time is seen at the ``cycles``-th edge of the receiving clock after it;
    all clocks have an edge at time 0. Without stages, within one domain, it is seen at once.
    """

    period_ps: int
    cycles: int = 0

    def seen_ps(self, given_ps: int) -> int:
        """When something given at ``given_ps`` is seen; never earlier for what is given later."""
        if not self.cycles:
            return given_ps
        return (given_ps // self.period_ps + self.cycles) * self.period_ps
