"""A DRAM channel: the SimPy process in front of the scheduler."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from tlm.config.dram_timing import DramTiming
from tlm.hardware.dram_bank import NEVER
from tlm.hardware.dram_counters import DramCounters
from tlm.hardware.dram_policy import DramPolicy
from tlm.hardware.dram_scheduler import Scheduler
from tlm.kernel import Environment, Inbox, Transaction, start_server


class DramChannel:
    """One channel with its controller: a server that decides late.

    A transaction arrives by ``callbacks``, is accepted at the next clock edge if its queue has
    room (``end_req``; else it waits, and all behind it), and is handed to ``respond`` when its
    answer is due (``begin_resp``): a read at its last data beat, a write as the policy says.
    Command 0 is a read, any other a write. Address and size may be unaligned.

    The process runs at arrivals and when an answer could fall due, not at every command.
    ``respond`` may not deliver to this same channel at once; it schedules.

    Raises:
        ConfigError: the address map does not fit the device.
    """

    def __init__(
        self,
        env: Environment,
        timing: DramTiming,
        respond: Callable[[Transaction], None],
        policy: DramPolicy | None = None,
        name: str = "dram",
    ) -> None:
        self.name = name
        self.timing = timing
        self.scheduler = Scheduler(timing, policy or DramPolicy())
        self._env = env
        self._respond = respond
        self._answer = (respond,)
        self._wake_at = NEVER
        self._inbox = Inbox()
        self.callbacks = start_server(env, self._inbox, self._serve())

    @property
    def counters(self) -> DramCounters:
        """Counts up to the last event; ``settle`` first for counts up to now."""
        return self.scheduler.counters

    @property
    def waiting(self) -> int:
        """Bursts in the queues and transactions not yet accepted."""
        entries = self.scheduler.entries
        return sum(entries.waiting) + len(entries.blocked)

    def settle(self) -> None:
        """Bring counters, idle refreshes included, up to the present time."""
        self.scheduler.advance(self._env.now)

    def _serve(self) -> Generator[Any, Any, None]:
        """Receive transactions and wake-up calls (``None``), for ever."""
        env, inbox, scheduler = self._env, self._inbox, self.scheduler
        clock = self.timing.tck_ps
        finished, read_answer = scheduler.finished, scheduler.read_answer_ps
        while True:
            transaction = yield inbox
            now = env.now
            if now >= self._wake_at:
                self._wake_at = NEVER
            scheduler.advance(now)
            soonest = now
            if transaction is not None:
                scheduler.offer(transaction, now + -now % clock)
                if not transaction.command:
                    soonest += read_answer
            if self._wake_at > soonest:
                self._sleep(now)
            if finished:
                self._send(now)

    def _send(self, now: int) -> None:
        """Schedule each answer for its time; one that is due now goes without an event."""
        schedule = self._env.schedule
        finished = self.scheduler.finished
        for time, transaction in finished:
            transaction.begin_resp = time
            if time <= now:
                self._respond(transaction)
            else:
                transaction.callbacks = self._answer
                schedule(transaction, delay=time - now)
        finished.clear()

    def _sleep(self, now: int) -> None:
        """Ask to be woken before the next answer can fall due, unless that is arranged."""
        self.scheduler.advance(now)
        wake_at = self.scheduler.wake_at()
        if wake_at < self._wake_at:
            self._wake_at = wake_at
            timeout = self._env.timeout(wake_at - now)
            timeout.callbacks.append(self.callbacks[0])
