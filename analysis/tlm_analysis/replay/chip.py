"""What a replay is given: tiles with their dependencies, and the chip they ran on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tlm.config.chip import ChipConfig
from tlm.config.tables.dram_timing import DramTiming
from tlm.space.mesh_routes import route
from tlm.space.packets import AddressSplit, PacketFormat


@dataclass(frozen=True)
class ReplayChip:
    """The chip as the replay sees it. Terminals are numbered cores first, then DRAM channels."""

    config: ChipConfig
    timing: DramTiming

    @property
    def nodes(self) -> tuple[int, ...]:
        """The mesh node of every terminal."""
        return (*range(self.config.cores), *self.config.dram_nodes)

    @property
    def clocks_ps(self) -> tuple[int, ...]:
        """Clock period of every terminal in a domain of its own, 0 of one in the network's."""
        core, noc = self.config.core, self.config.noc
        common = 0 if core.period_ps == noc.period_ps else core.period_ps
        cores = [core.period_of(i) if core.domain(i) else common for i in range(self.config.cores)]
        dram = self.timing.tck_ps if self.config.dram.model == "controller" else 0
        return (*cores, *(dram for _ in self.config.dram_nodes))

    @cached_property
    def packet_format(self) -> PacketFormat:
        """Sizes of the network's packets."""
        return PacketFormat.of(self.config.noc)

    @cached_property
    def split(self) -> AddressSplit:
        """How addresses spread over the DRAM channels."""
        return AddressSplit.of(self.config.dram, self.config.noc, self.timing.burst_bytes)

    def route(self, source: int, target: int) -> tuple[tuple[int, int], ...]:
        """The links of an XY route, each as a node and a direction."""
        return tuple(route("xy", self.config.mesh.columns, source, target))
