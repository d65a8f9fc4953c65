"""The read and write queues of a DRAM controller: room, and who waits in front of them."""

from __future__ import annotations

from collections import deque

from tlm.kernel import Transaction

Waiting = tuple[Transaction, int, int]  # transaction, command (0 read, 1 write), bursts


class Entries:
    """Entry counts of the two queues and the transactions that found no room.

    Sizes are in bursts; a burst for which a row has been opened takes no entry any more. What waits
    in front is accepted in order of arrival, so a full queue also blocks what is meant for the
    other one. A transaction larger than its queue enters it when it is empty.
    """

    __slots__ = ("_capacity", "blocked", "blocked_writes", "transactions", "waiting")

    def __init__(self, read_queue: int, write_queue: int) -> None:
        self._capacity = (read_queue, write_queue)
        self.waiting = [0, 0]  # bursts
        self.transactions = [0, 0]  # to which they belong
        self.blocked: deque[Waiting] = deque()
        self.blocked_writes = 0

    def admits(self, arrival: Waiting) -> bool:
        """True if the arrival may enter now; otherwise it is kept waiting."""
        if not self.blocked and self.missing(arrival) <= 0:
            return True
        self.blocked.append(arrival)
        self.blocked_writes += arrival[1]
        return False

    def missing(self, arrival: Waiting) -> int:
        """Entries that have to be freed before the arrival fits."""
        taken = self.waiting[arrival[1]]
        missing = taken + arrival[2] - self._capacity[arrival[1]]
        return missing if missing < taken else taken

    def release(self) -> Waiting | None:
        """The first waiting transaction if it fits by now."""
        if not self.blocked:
            return None
        arrival = self.blocked[0]
        command = arrival[1]
        taken = self.waiting[command]
        if taken and taken + arrival[2] > self._capacity[command]:
            return None
        self.blocked_writes -= command
        return self.blocked.popleft()
