"""A DRAM channel: the SimPy process in front of the scheduler."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from tlm.config.tables.dram_timing import DramTiming
from tlm.hardware.dram.bank import NEVER
from tlm.hardware.dram.counters import DramCounters
from tlm.hardware.dram.policy import DramPolicy
from tlm.hardware.dram.scheduler import Scheduler
from tlm.kernel import Callbacks, Environment, Inbox, Transaction, start_server


class Wake:
    """A channel's call to itself: one event, in the heap as often as calls are outstanding."""

    __slots__ = ("callbacks",)
    _ok = True  # to SimPy, an event that has not failed

    def __init__(self) -> None:
        self.callbacks: Callbacks = ()  # SimPy takes them off when it fires; the channel re-arms


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
        self.late = 0  # answers given after they were due: a fault of this model if not 0
        self.scheduler = Scheduler(timing, policy or DramPolicy())
        self._env = env
        self._respond = respond
        self._answer = (respond,)
        self._inbox = Inbox()
        self._wake = Wake()
        self.callbacks = start_server(self._inbox, self._serve())
        self._wake.callbacks = self.callbacks

    @property
    def counters(self) -> DramCounters:
        """Counts up to the last event; ``settle`` first for counts up to now."""
        return self.scheduler.counters

    @property
    def bytes_read(self) -> int:
        """Bytes of answered read transactions."""
        return self.counters.bytes_read

    @property
    def bytes_written(self) -> int:
        """Bytes of write transactions whose last WR was issued."""
        return self.counters.bytes_written

    @property
    def busy_ps(self) -> int:
        """Time the data bus carried data."""
        return self.counters.busy_ps

    @property
    def waiting(self) -> int:
        """Bursts not yet served and transactions not yet accepted."""
        entries = self.scheduler.entries
        opened = sum(bank.opened_for >= 0 for bank in self.scheduler.banks)
        return sum(entries.waiting) + opened + len(entries.blocked)

    def held(self) -> list[Transaction]:
        """The transactions that have arrived and are not answered, accepted or not."""
        blocked = [arrival[0] for arrival in self.scheduler.entries.blocked]
        queued = [
            run.transaction
            for bank in self.scheduler.banks
            for runs in (*bank.hits, *bank.misses)
            for run in runs
        ]
        return [*blocked, *queued]

    def settle(self) -> None:
        """Bring counters, idle refreshes included, up to the present time."""
        self.scheduler.advance(self._env.now)

    def _serve(self) -> Generator[Any, Any, None]:
        """Receive transactions and, as anything else, wake-up calls, for ever."""
        env, inbox, scheduler, wake = self._env, self._inbox, self.scheduler, self._wake
        advance, finished, clock = scheduler.advance, scheduler.finished, self.timing.tck_ps
        wake_at = NEVER
        while True:
            arrived = yield inbox
            now = env.now
            if now >= wake_at:
                wake_at = NEVER
            advance(now)
            soonest = now
            if isinstance(arrived, Transaction):
                soonest = scheduler.offer(arrived, now + -now % clock)
                if wake_at > soonest:
                    advance(now)
            else:
                wake.callbacks = self.callbacks
            if wake_at > soonest:
                due = scheduler.wake_at()
                if due < wake_at:
                    wake_at = due
                    env.schedule(wake, 1, due - now)
            if finished:
                self._send(now)

    def _send(self, now: int) -> None:
        """Schedule each answer for its time; one that is due now goes without an event."""
        schedule = self._env.schedule
        finished = self.scheduler.finished
        for time, transaction in finished:
            transaction.begin_resp = time
            if time <= now:
                self.late += time < now
                self._respond(transaction)
            else:
                transaction.callbacks = self._answer
                schedule(transaction, 1, time - now)
        finished.clear()
