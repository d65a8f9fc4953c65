"""How long a DRAM channel may leave its scheduler alone without missing an answer."""

from __future__ import annotations

from tlm.hardware.dram.bank import NEVER
from tlm.hardware.dram.candidates import READ, WRITE, Candidates
from tlm.hardware.dram.delays import DramDelays
from tlm.hardware.dram.queues import Entries


class Outlook:
    """Bounds on the commands to come, from the candidates and the queues as they are."""

    __slots__ = ("_candidates", "_delays", "_entries")

    def __init__(self, candidates: Candidates, entries: Entries, delays: DramDelays) -> None:
        self._candidates = candidates
        self._entries = entries
        self._delays = delays

    def wake_at(self, refresh_due: int) -> int:
        """Latest time in ps to advance the scheduler so that no answer falls due unseen.

        A read's data comes long after its command, so several reads are settled in one call. A
        write is answered at its WR and needs a call at that time, unless the bus is reading: then
        no WR can follow sooner than the turn-around.
        """
        entries, answer = self._entries, self._delays.answer
        due = NEVER
        if entries.transactions[READ] or entries.blocked:
            due = self._next_end(READ, refresh_due) + answer[READ]
        if entries.transactions[WRITE] or entries.blocked_writes:
            due = min(due, self._next_end(WRITE, refresh_due) + answer[WRITE])
        return due

    def _next_end(self, command: int, refresh_due: int) -> int:
        """Least time of a column command of this kind that ends a run."""
        candidates = self._candidates
        row, (column, choice) = candidates.next_row[0], candidates.next_columns[command]
        other = candidates.next_columns[1 - command][0]
        if command != candidates.mode:  # served after a turn, which takes a command of the mode
            turn = max(min(row, other), candidates.bus.column_floor[command])
            return min(column, turn)
        opened, blocked = self._delays.row_to_column, self._entries.blocked
        # An activate frees an entry, and what takes it may hit another open row at once.
        opens = row if blocked else row + opened
        columns = candidates.columns[command]
        if (
            not columns
            or choice is not columns[0]
            or choice[0] < 0
            or column >= opens
            or self._delays.column != self._delays.column_group
        ):
            return min(column, opens)
        # The first candidate goes on undisturbed up to another command or the refresh.
        end = column + self._delays.column * (choice[1].hits[command][0].left - 1)
        if blocked:  # a column command frees an entry, and a row is opened for what takes it
            end = min(end, column + opened)
        return max(column, min(end, row, other, refresh_due))
