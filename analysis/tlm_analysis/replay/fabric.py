"""The replay's clock and mesh: packets from port to port, one heap entry a hop."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any

from tlm_analysis.replay.channel import ControlledChannel, IdealChannel
from tlm_analysis.replay.chip import ReplayChip
from tlm_analysis.replay.packet import READ, ReplayPacket


class Fabric:
    """Simulated time in ps; ports and links are busy until a time, applied on arrival."""

    def __init__(self, chip: ReplayChip) -> None:
        noc, dram = chip.config.noc, chip.config.dram
        terminals = len(chip.nodes)
        self.now = 0
        self._flits_of = chip.packet_format.flits
        self._nodes = chip.nodes
        self._route = cache(chip.route)
        self._period_ps = noc.period_ps
        self._synchroniser = noc.synchroniser
        self._clocks_ps = chip.clocks_ps
        self._routing_ps = noc.router_stages * noc.period_ps
        self._contended = noc.model != "ideal"
        self._inject = [0] * terminals
        self._links: dict[tuple[int, int], int] = defaultdict(int)
        self._eject = [0] * terminals
        channel = IdealChannel if dram.model == "ideal" else ControlledChannel
        self._channels = [
            channel(dram, chip.timing, self.at, self._answer) for _ in range(dram.channels)
        ]
        self.first_channel = terminals - dram.channels
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = 0

    def at(self, time: int, call: Callable[..., None], *arguments: Any) -> None:
        """Call something at a time; equal times in order of these calls."""
        self._order += 1
        heapq.heappush(self._heap, (time, self._order, call, arguments))

    def step(self) -> bool:
        """Do the next thing that is due; False if there is none."""
        if not self._heap:
            return False
        self.now, _, call, arguments = heapq.heappop(self._heap)
        call(*arguments)
        return True

    def send(self, packet: ReplayPacket, source: int, target: int, nbytes: int) -> None:
        """Inject a packet with so many bytes of payload."""
        packet.flits = flits = self._flits_of(nbytes)
        packet.target, packet.hop = target, 0
        packet.route = self._route(self._nodes[source], self._nodes[target])
        start = self._seen(self.now, self._clocks_ps[source] and self._period_ps)
        if self._contended:
            start = max(start, self._inject[source])
        self._inject[source] = start + flits * self._period_ps
        self.at(start + 2 * self._period_ps, self._hop, packet)

    def _hop(self, packet: ReplayPacket) -> None:
        """Pass a router and the link, or at the end of the route the port, behind it."""
        start, held = self.now + self._routing_ps, packet.flits * self._period_ps
        if packet.hop == len(packet.route):
            if self._contended:
                start = max(start, self._eject[packet.target])
            self._eject[packet.target] = start + held
            arrival_ps = self._seen(start + held, self._clocks_ps[packet.target])
            self.at(arrival_ps, self._arrived, packet)
            return
        link = packet.route[packet.hop]
        packet.hop += 1
        if self._contended:
            start = max(start, self._links[link])
        self._links[link] = start + held
        self.at(start + self._period_ps, self._hop, packet)

    def _seen(self, given_ps: int, period_ps: int) -> int:
        """When a clock of that period sees what another domain gives; at once if it is 0."""
        if not (period_ps and self._synchroniser):
            return given_ps
        return (given_ps // period_ps + self._synchroniser) * period_ps

    def _arrived(self, packet: ReplayPacket) -> None:
        """A packet with its tail at its target: a channel takes it, or it is at its end."""
        channel = packet.target - self.first_channel
        if channel < 0:
            packet.closed(packet)
        else:
            self._channels[channel].accept(packet, self.now)

    def _answer(self, packet: ReplayPacket) -> None:
        """A channel has answered: a read's data go back, a write ends there."""
        if packet.kind == READ:
            self.send(packet, packet.target, packet.core, packet.nbytes)
        else:
            packet.closed(packet)
