"""How long a DRAM channel may leave its scheduler alone without missing an answer."""

from __future__ import annotations

from tlm.hardware.dram.bank import NEVER
from tlm.hardware.dram.candidates import READ, WRITE, Candidates
from tlm.hardware.dram.delays import DramDelays
from tlm.hardware.dram.queues import Entries


class Outlook:
    """Bounds on the commands to come, from the candidates and the queues as they are.

    ``write_low`` is the policy's: writes left in their queue when the bus turns to reads.
    """

    __slots__ = ("_candidates", "_delays", "_entries", "_write_low")

    def __init__(
        self, candidates: Candidates, entries: Entries, delays: DramDelays, write_low: int
    ) -> None:
        self._candidates = candidates
        self._entries = entries
        self._delays = delays
        self._write_low = write_low

    def wake_at(self, refresh_due: int) -> int:
        """Latest time in ps to advance the scheduler so that no answer falls due unseen.

        A read's data comes long after its command, so several reads are settled in one call. A
        write answered at its WR needs a call at that time, unless the bus is still reading: then
        no WR can follow sooner than the turn-around, after the reads that come before it.
        """
        delays, entries, candidates = self._delays, self._entries, self._candidates
        command = candidates.command
        column, opens = candidates.next_column[0], candidates.next_row[0] + delays.row_to_column
        first = column if column < opens else opens
        if first >= NEVER:
            return NEVER
        turn = self._before_turn()
        turned = first + delays.column * (turn - 1) + delays.turn[command]
        answered = first + delays.column * (entries.before_answer(command, turn) - 1)
        answered = max(answered, min(self._end_of_run(turn, refresh_due), opens))
        read, lag = delays.answer[READ], self._write_lag()
        if command == READ:
            return min(answered + read, turned + lag)
        return min(answered + lag, turned + read)

    def _end_of_run(self, turn: int, refresh_due: int) -> int:
        """Least time of the chosen run's last column command, before which no other run ends.

        Up to ``turn`` commands, the refresh, or the activate for another run (left to the caller),
        the oldest candidate goes on undisturbed if it never has to wait longer than the others.
        """
        candidates, gap = self._candidates, self._delays.column
        time, choice = candidates.next_column
        if (
            not candidates.columns
            or choice is not candidates.columns[0]
            or gap != self._delays.column_group
        ):
            return time
        left = choice[1].hits[candidates.command][0].left
        end = time + gap * ((left if left < turn else turn) - 1)
        return max(time, min(end, refresh_due))

    def _before_turn(self) -> int:
        """Least number of column commands before one of the other kind can follow."""
        candidates = self._candidates
        if candidates.command != candidates.mode:
            return 1
        if candidates.mode == READ:
            before = self._entries.reads_before_write()
        else:
            before = self._entries.writes_before_read(self._write_low)
        return before if before > 1 else 1

    def _write_lag(self) -> int:
        """Least time from a column command that concerns a write to that write's answer."""
        if self._entries.waiting[WRITE] or self._entries.blocked_writes:
            return self._delays.answer[WRITE]
        return NEVER
