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

    # Bounds on what is served next, for a channel that need not look at every command. They look
    # at no more than the first transaction in front of the queues: what is behind enters later.

    def reads_before_write(self) -> int:
        """Least number of reads served before a write that waits in front can enter."""
        reads, writes = self.waiting
        if not self.blocked_writes:
            return reads
        _, command, bursts = self.blocked[0]
        if command:
            fits = not writes or writes + bursts <= self._capacity[1]
            return 0 if fits else reads
        return min(reads, max(0, reads + bursts - self._capacity[0]))

    def writes_before_read(self, low: int) -> int:
        """Least number of writes served until ``low`` are left and a read waits, or all are."""
        reads, writes = self.waiting
        if reads or not self.blocked:
            return writes - low if reads else writes
        _, command, bursts = self.blocked[0]
        return writes + bursts * command - low

    def before_answer(self, command: int, turn: int) -> int:
        """Least number of a kind served up to the last burst of some transaction of that kind.

        ``turn`` are those served before the other kind can be, and free its queue.

        Raises:
            RuntimeError: more bursts were served than asked for, a fault of the model.
        """
        waiting = self.waiting[command]
        if waiting < 0:
            raise RuntimeError("a DRAM controller served more bursts than it was asked for")
        if self.transactions[command] > 1:
            return 1
        if not self.blocked:
            return waiting
        _, kind, bursts = self.blocked[0]
        if kind != command:
            return min(waiting, turn)
        return min(waiting, max(0, waiting + bursts - self._capacity[command]) + 1)
