"""A transaction of the replay on its way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

READ, WRITE, MESSAGE = range(3)


class ReplayPiece(NamedTuple):
    """What becomes one packet: ``place`` is a core or a DRAM channel, ``address`` counts there."""

    place: int
    address: int
    nbytes: int
    bursts: int


class ReplayPacket:
    """One payload; ``closed`` is called with it when it has come to its end.

    ``core`` is where it comes from, ``address`` and ``bursts`` are those at its DRAM channel,
    ``dones`` whatever its owner wants to find again.
    """

    __slots__ = ("address", "bursts", "closed", "core", "dones", "flits", "hop", "kind", "nbytes",
                 "route", "target")  # fmt: skip

    def __init__(
        self,
        kind: int,
        core: int,
        piece: ReplayPiece,
        closed: Callable[[ReplayPacket], None],
        dones: Any,
    ) -> None:
        self.kind = kind
        self.core = core
        _, self.address, self.nbytes, self.bursts = piece
        self.closed = closed
        self.dones = dones
        self.flits = self.hop = self.target = 0
        self.route: tuple[tuple[int, int], ...] = ()
