"""What the chip needs of a network on chip, whichever model it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from tlm.kernel import Callbacks, Path, Transaction
from tlm.space.packets import PacketFormat


class CountedPort(Protocol):
    """A link of the mesh or a terminal's port, with what it has carried."""

    @property
    def name(self) -> str:
        """Unique in its network."""

    @property
    def flits(self) -> int:
        """Flits carried so far."""

    @property
    def packets(self) -> int:
        """Packets carried so far."""


class ChipNetwork(Protocol):
    """The network as cores and DRAM channels see it."""

    period_ps: int
    contended: bool
    packet_format: PacketFormat

    @property
    def in_flight(self) -> int:
        """Packets on their way."""

    @property
    def routers(self) -> int:
        """Routers that were built."""

    @property
    def links(self) -> Mapping[tuple[int, str], CountedPort]:
        """Mesh channels by node and direction."""

    @property
    def injections(self) -> Sequence[CountedPort]:
        """Where packets enter."""

    @property
    def ejections(self) -> Sequence[CountedPort]:
        """Where packets leave."""

    def all_links(self) -> Sequence[CountedPort]:
        """Mesh channels, then injection, then ejection ports."""

    def attach(self, node: int, name: str, responds: bool = False, clock_ps: int = 0) -> int:
        """Give a core or DRAM channel its ports at a node; returns its terminal number.

        ``clock_ps`` is the period of a terminal with a clock domain of its own, 0 of one in the
        network's: packets to and from it pass ``noc.synchroniser``.
        """

    def hops(self, source: int, *targets: int) -> int:
        """Mesh links from a terminal to all targets, each as often as a packet to them takes it."""

    def path(self, source: int, target: int, deliver: Callbacks) -> Path:
        """What a transaction carries as ``path`` to reach ``target`` and end with ``deliver``."""

    def tree(self, source: int, ends: Mapping[int, Callbacks]) -> Path:
        """The ``path`` to several targets: at each a copy of the transaction ends with its own."""

    def waits(self) -> Iterable[tuple[str, str]]:
        """(waiter, awaited) among the network's own buffers, by name."""

    def held(self) -> Iterable[tuple[str, Transaction]]:
        """(place, transaction) of all that no event is to move."""

    def send(self, txn: Transaction, source: int) -> None:
        """Inject a packet now; ``txn.path`` and ``txn.flits`` are set."""
