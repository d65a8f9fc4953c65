"""Transfers as packets: where bytes are cut, which channel has them, how many flits they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tlm.config.fabric import Dram, Noc
from tlm.space.tile import Extent

ChannelPiece = tuple[int, int, int]  # channel, address within it, bytes
Amount = TypeVar("Amount", int, NDArray[np.int64])


@dataclass(frozen=True, slots=True)
class PacketFormat:
    """Sizes in bytes: the largest payload of a packet, its header, and what one flit carries."""

    payload: int
    header: int
    flit: int

    @classmethod
    def of(cls, noc: Noc) -> PacketFormat:
        """The packets of a network; its links carry one flit per cycle."""
        return cls(noc.payload, noc.header, noc.link // 8)

    def flits(self, nbytes: Amount) -> Amount:
        """Flits of a packet with ``nbytes`` of payload: header and payload, rounded up."""
        return -(-(nbytes + self.header) // self.flit)

    def payloads(self, nbytes: int) -> list[int]:
        """Payload sizes of a message's packets; an empty message is one packet, all header."""
        return [
            min(self.payload, nbytes - start) for start in range(0, max(1, nbytes), self.payload)
        ]


@dataclass(frozen=True, slots=True)
class AddressSplit:
    """How byte addresses spread over channels: ``interleave`` bytes to each in turn.

    ``payload`` is the most that a packet carries, ``burst`` what one DRAM burst moves, in bytes.
    """

    interleave: int
    channels: int
    payload: int
    burst: int

    @classmethod
    def of(cls, dram: Dram, noc: Noc, burst: int) -> AddressSplit:
        """The split of a chip's addresses, whose DRAM moves ``burst`` bytes at a time."""
        return cls(dram.interleave, dram.channels, noc.payload, burst)

    def pieces(self, extent: Extent) -> list[ChannelPiece]:
        """The packets of an extent: cut where a payload boundary is crossed."""
        start, nbytes = extent
        end = start + nbytes
        pieces: list[ChannelPiece] = []
        while start < end:
            stop = min(end, (start // self.payload + 1) * self.payload)
            stripe, offset = divmod(start, self.interleave)
            address = stripe // self.channels * self.interleave + offset
            pieces.append((stripe % self.channels, address, stop - start))
            start = stop
        return pieces

    def whole(self, channel: int, address: int) -> int:
        """The byte address of an ``address`` within a channel."""
        stripe, offset = divmod(address, self.interleave)
        return (stripe * self.channels + channel) * self.interleave + offset

    def bursts(self, address: int, nbytes: int) -> int:
        """DRAM bursts that hold the bytes from ``address`` on; a part of a burst is a whole one."""
        return (address + nbytes - 1) // self.burst - address // self.burst + 1
