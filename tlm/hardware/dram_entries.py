"""The read and write queues of a DRAM controller: room, and who waits in front of them."""

from __future__ import annotations

from collections import deque

from tlm.kernel import Transaction

Waiting = tuple[Transaction, int, int]  # transaction, command (0 read, 1 write), bursts


class Entries:
    """Entry counts of the two queues and the transactions that found no room.

    Sizes are in bursts. What waits in front is accepted in order of arrival, so a full queue
    also blocks what is meant for the other one. A transaction larger than its queue enters it
    when it is empty.
    """

    __slots__ = ("_capacity", "blocked", "blocked_writes", "waiting")

    def __init__(self, read_queue: int, write_queue: int) -> None:
        self._capacity = (read_queue, write_queue)
        self.waiting = [0, 0]
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

    def reads_first(self) -> int:
        """Reads served before any more writes enter: those in front of the first that can."""
        reads, writes = self.waiting
        served = 0
        for _, command, bursts in self.blocked:
            if command:
                fits = not writes or writes + bursts <= self._capacity[1]
                return served if fits else reads
            reads += bursts
            room = self._capacity[0] if bursts <= self._capacity[0] else bursts
            served = max(served, reads - room)
        return reads

    def writes_first(self, low: int) -> int:
        """Writes served before reads get their turn: down to ``low``, all if no read waits."""
        reads, writes = self.waiting
        return writes - low if reads or len(self.blocked) > self.blocked_writes else writes
