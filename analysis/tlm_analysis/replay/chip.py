"""What a replay is given: tiles with their dependencies, and the chip they ran on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tlm.config.chip import ChipConfig
from tlm.config.tables.dram_timing import DramTiming

ReplayExtent = tuple[int, int]  # contiguous bytes in DRAM: address, length
ReplayPiece = tuple[int, int, int, int]  # place, address there, payload bytes, DRAM bursts


class ReplayMessage(Protocol):
    """A payload to another core; each of its packets counts towards ``arrives``."""

    core: int
    nbytes: int
    arrives: tuple[int, ...]


class ReplayTile(Protocol):
    """What is needed of a tile; ``tlm.space.tile.Tile``, which describes the fields, is one."""

    cycles: int
    needs: tuple[int, ...]
    read_needs: tuple[int, ...]
    reads: tuple[ReplayExtent, ...]
    writes: tuple[ReplayExtent, ...]
    signals: tuple[int, ...]
    saves: tuple[int, ...]

    @property
    def messages(self) -> Sequence[ReplayMessage]:
        """What it sends to other cores."""


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

    def flits(self, nbytes: int) -> int:
        """Flits of a packet with so many bytes of payload."""
        noc = self.config.noc
        return -(-(nbytes + noc.header) // (noc.link // 8))

    def route(self, source: int, target: int) -> tuple[tuple[int, int], ...]:
        """The links of an XY route, each as the nodes it joins."""
        columns = self.config.mesh.columns
        links = []
        while source != target:
            if source % columns != target % columns:
                following = source + (1 if target % columns > source % columns else -1)
            else:
                following = source + (columns if target > source else -columns)
            links.append((source, following))
            source = following
        return tuple(links)

    def pieces(self, run: ReplayExtent) -> list[ReplayPiece]:
        """A run of bytes cut into packets, ``place`` being the channel."""
        dram, payload, burst = self.config.dram, self.config.noc.payload, self.timing.burst_bytes
        start, nbytes = run
        end, packets = start + nbytes, []
        while start < end:
            stop = min(end, (start // payload + 1) * payload)
            stripe, offset = divmod(start, dram.interleave)
            address = stripe // dram.channels * dram.interleave + offset
            bursts = (address + stop - start - 1) // burst - address // burst + 1
            packets.append((stripe % dram.channels, address, stop - start, bursts))
            start = stop
        return packets
