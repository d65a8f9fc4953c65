"""A transaction of the replay on its way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

READ, WRITE, MESSAGE = range(3)


class ReplayPacket:
    """One payload; ``closed`` is called with it when it has come to its end.

    ``core`` is where it comes from, ``address`` and ``bursts`` are those at its DRAM channel,
    ``dones`` whatever its owner wants to find again.
    """

    __slots__ = ("address", "bursts", "closed", "core", "dones", "flits", "hop", "kind", "nbytes",
                 "route", "target")  # fmt: skip

    def __init__(
        self, kind: int, core: int, address: int, nbytes: int, bursts: int,
        closed: Callable[[ReplayPacket], None], dones: Any,
    ) -> None:  # fmt: skip
        self.kind = kind
        self.core = core
        self.address = address
        self.nbytes = nbytes
        self.bursts = bursts
        self.closed = closed
        self.dones = dones
        self.flits = self.hop = self.target = 0
        self.route: tuple[tuple[int, int], ...] = ()
