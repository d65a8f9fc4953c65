"""Sockets: where an initiator is bound to its target, and the names SystemC people look for."""

from __future__ import annotations

from collections.abc import Callable

from tlm.kernel import Transaction

Transport = Callable[[Transaction, int], None]


class InitiatorSocket:
    """Where transactions leave an initiator; unbound until ``bind``.

    ``nb_transport(transaction, terminal)`` starts the request and returns at once: the backward
    path of TLM-2.0 is the transaction itself, which comes back as a kernel event. The attribute
    is the target's own method, so a bound socket costs nothing on the hot path.
    """

    __slots__ = ("name", "nb_transport")

    def __init__(self, name: str) -> None:
        self.name = name
        self.nb_transport: Transport = self._unbound

    def bind(self, transport: Transport) -> None:
        """Connect to a target's transport method."""
        self.nb_transport = transport

    def _unbound(self, transaction: Transaction, terminal: int) -> None:
        raise RuntimeError(f"{self.name} is not bound to a target")
