"""A DRAM channel without banks: fixed latency and a bus that is busy while data moves."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from tlm.kernel import Environment, Inbox, Transaction, start_server


class IdealDram:
    """Serves in order of arrival at peak bandwidth, each answer ``latency_ps`` after its data.

    Reads and writes are answered ``latency_ps`` after the bus has carried their last byte.
    ``bytes_per_ns`` is the bus's bandwidth; a transaction occupies it for nbytes / bytes_per_ns,
    rounded up to a whole ps.
    """

    def __init__(
        self,
        env: Environment,
        latency_ps: int,
        bytes_per_ns: float,
        respond: Callable[[Transaction], None],
        name: str = "dram",
    ) -> None:
        self.name = name
        self.bytes_read = self.bytes_written = self.busy_ps = 0
        self._env = env
        self._latency_ps = latency_ps
        self._bytes_per_ns = bytes_per_ns
        self._answer = (respond,)
        self._inbox = Inbox()
        self.callbacks = start_server(self._inbox, self._serve())

    def _serve(self) -> Generator[Any, Any, None]:
        """A FIFO server: busy-until, applied on arrival."""
        env, inbox = self._env, self._inbox
        free_at = 0
        while True:
            transaction: Transaction = yield inbox
            now = env.now
            occupied = int(-(-transaction.nbytes * 1000 // self._bytes_per_ns))
            free_at = max(now, free_at) + occupied
            self.busy_ps += occupied
            if transaction.command:
                self.bytes_written += transaction.nbytes
            else:
                self.bytes_read += transaction.nbytes
            transaction.end_req = now
            transaction.begin_resp = free_at + self._latency_ps
            transaction.callbacks = self._answer
            env.schedule(transaction, delay=transaction.begin_resp - now)
