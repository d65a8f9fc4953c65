"""How busy a network's busiest link is while a run goes on."""

from __future__ import annotations

from typing import NamedTuple

from tlm.hardware.noc.network import ChipNetwork


class Stretch(NamedTuple):
    """A part of a run, ps, and the share of it for which its busiest link was asked.

    More than 1 where packets came faster than the link passes them.
    """

    time_ps: int
    use: float


class LinkLoad:
    """The busiest link or port of each stretch between two looks."""

    def __init__(self, network: ChipNetwork) -> None:
        self.stretches: list[Stretch] = []
        self._period_ps = network.period_ps
        self._links = network.all_links()
        self._flits = [0] * len(self._links)
        self._begin_ps = 0

    def look(self, now: int) -> None:
        """End a stretch at ``now``."""
        time_ps = now - self._begin_ps
        if not time_ps:
            return
        flits = [link.flits for link in self._links]
        most = max(after - before for after, before in zip(flits, self._flits, strict=True))
        self.stretches.append(Stretch(time_ps, most * self._period_ps / time_ps))
        self._flits, self._begin_ps = flits, now
