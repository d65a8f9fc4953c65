"""What the banks of a DRAM channel share: command and data bus, and limits on activates."""

from __future__ import annotations

from collections import deque

from tlm.hardware.dram.bank import CLOSED, NEVER, Bank
from tlm.hardware.dram.delays import DramDelays

CommandCandidate = tuple[int, Bank]  # rank (the lower the sooner), the bank
CommandChoice = tuple[int, CommandCandidate]  # earliest time in ps, the candidate


class Bus:
    """Earliest times in ps of the next RD, WR and ACT anywhere and within each bank group.

    ``free_at`` is when the command bus takes another command, of whatever kind. Candidate lists
    are in order of rank, so that the first one legal at the earliest possible time is the choice
    of "first ready, first come" and the search can end there.
    """

    __slots__ = (
        "_activates",
        "_column_group_floor",
        "_delays",
        "_row_floor",
        "_row_group_floor",
        "_strobe_until",
        "column_floor",
        "free_at",
    )

    def __init__(self, delays: DramDelays, bank_groups: int) -> None:
        self._delays = delays
        self.free_at = 0
        self.column_floor = [0, 0]
        self._column_group_floor = [[0] * bank_groups for _ in range(2)]
        self._row_floor = 0
        self._row_group_floor = [0] * bank_groups
        self._activates = deque([-NEVER] * 4, maxlen=4)  # the last four, for tFAW
        self._strobe_until = -1 if delays.strobe_start else NEVER

    def first_column(self, candidates: list[CommandCandidate], command: int) -> CommandChoice:
        """The first legal column command; the list must not be empty."""
        floor = self.column_floor[command]
        if floor < self.free_at:
            floor = self.free_at
        group_floor = self._column_group_floor[command]
        best, choice = NEVER, candidates[0]
        for candidate in candidates:
            bank = candidate[1]
            time = group_floor[bank.group]
            if time < floor:
                time = floor
            if time < bank.column_at:
                time = bank.column_at
            if time < best:
                best, choice = time, candidate
                if time == floor:
                    break
        if best > self._strobe_until:  # the strobe is started while the command waits, if it does
            started = self.free_at + self._delays.strobe_start
            if best < started:
                best = started
        return best, choice

    def first_row(self, candidates: list[CommandCandidate]) -> CommandChoice:
        """The first legal activate or precharge; the list must not be empty."""
        free, floor, group_floor = self.free_at, self._row_floor, self._row_group_floor
        best, choice = NEVER, candidates[0]
        for candidate in candidates:
            bank = candidate[1]
            if bank.row != CLOSED:
                time = bank.precharge_at
            else:
                time = group_floor[bank.group]
                if time < floor:
                    time = floor
                if time < bank.activate_at:
                    time = bank.activate_at
            if time <= free:
                return free, candidate
            if time < best:
                best, choice = time, candidate
        return best, choice

    def after_column(self, group: int, command: int, time: int) -> None:
        """A RD or WR at ``time``: burst spacing for its kind, turn-around for the other."""
        delays, other = self._delays, 1 - command
        floor, group_floor = self.column_floor, self._column_group_floor
        self.free_at = time + delays.column_clocks
        if delays.strobe_start:
            self._strobe_until = time + delays.strobe_held[command]
        floor[command] = time + delays.column
        group_floor[command][group] = time + delays.column_group
        turned = time + delays.turn[command]
        if floor[other] < turned:
            floor[other] = turned
        turned = time + delays.turn_group[command]
        if group_floor[other][group] < turned:
            group_floor[other][group] = turned

    def after_activate(self, group: int, time: int) -> None:
        """An ACT at ``time``: tRRD, and tFAW from the fourth last."""
        delays, activates = self._delays, self._activates
        self.free_at = time + delays.activate_clocks
        self._row_group_floor[group] = time + delays.row_to_row_group
        activates.append(time)
        floor, window = time + delays.row_to_row, activates[0] + delays.four_rows
        self._row_floor = floor if floor > window else window
