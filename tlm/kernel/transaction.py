"""Transaction: the generic payload, and at the same time the kernel event that carries it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Callbacks = tuple[Callable[[Any], None], ...]
Path = tuple[Any, ...]  # (callbacks of the next server, the rest of the path), empty at its end


class Transaction:
    """One payload from ``begin_req`` to ``end_resp`` (TLM-2.0: ``tlm_generic_payload``).

    It is its own SimPy event and is re-armed at every hop: a server sets ``callbacks`` to those
    of the next server and schedules the same object again. SimPy only touches ``callbacks``,
    ``_ok`` of an event that goes well, so nothing else of ``simpy.Event`` is needed; one object for
    each payload instead of one for each hop is worth a factor 1.6 in events per second.

    Life cycle: created by an initiator (``begin_req``), accepted by its target (``end_req``),
    answered (``begin_resp``), back at the initiator (``end_resp``). A one-way payload ends at its
    target, where ``end_req = begin_resp = end_resp``. All times in ps.
    """

    __slots__ = (
        "address",
        "begin_req",
        "begin_resp",
        "callbacks",
        "command",
        "end_req",
        "end_resp",
        "flits",
        "home",
        "ident",
        "initiator",
        "job",
        "nbytes",
        "path",
        "target",
    )

    _ok = True  # to SimPy, an event that has not failed

    def __init__(
        self, ident: int, command: int, address: int, nbytes: int, initiator: int, job: Any
    ) -> None:
        self.callbacks: Callbacks | None = None
        self.ident = ident
        self.command = command
        self.address = address
        self.nbytes = nbytes
        self.initiator = initiator
        self.target = -1
        self.job = job
        self.flits = 0
        self.path: Path = ()
        self.home: Path = ()  # the path of the response
        self.begin_req = self.end_req = self.begin_resp = self.end_resp = 0

    def branch(self, path: Path) -> Transaction:
        """A copy that goes on by itself along ``path``, with all that has happened so far."""
        copy = Transaction(
            self.ident, self.command, self.address, self.nbytes, self.initiator, self.job
        )
        copy.target, copy.flits, copy.path = self.target, self.flits, path
        copy.begin_req, copy.end_req, copy.begin_resp = (
            self.begin_req,
            self.end_req,
            self.begin_resp,
        )
        return copy
