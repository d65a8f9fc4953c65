"""What the banks of a DRAM channel share: the data bus, and limits on activates."""

from __future__ import annotations

from collections import deque

from tlm.hardware.dram.bank import NEVER, Bank
from tlm.hardware.dram.delays import DramDelays

CommandCandidate = tuple[int, Bank]  # order of acceptance of the bank's first run, the bank


class Bus:
    """Earliest times in ps of the next RD, WR and ACT anywhere and within each bank group.

    Candidate lists are in order of age, so that the first one legal at the earliest possible
    time is the choice of "first ready, first come" and the search can end there.
    """

    __slots__ = (
        "_activates",
        "_column_floor",
        "_column_group_floor",
        "_delays",
        "_row_floor",
        "_row_group_floor",
    )

    def __init__(self, delays: DramDelays, bank_groups: int) -> None:
        self._delays = delays
        self._column_floor = [0, 0]
        self._column_group_floor = [[0] * bank_groups for _ in range(2)]
        self._row_floor = 0
        self._row_group_floor = [0] * bank_groups
        self._activates = deque([-NEVER] * 4, maxlen=4)  # the last four, for tFAW

    def first_column(
        self, candidates: list[CommandCandidate], command: int
    ) -> tuple[int, CommandCandidate]:
        """Time and candidate of the first legal column command; (NEVER, none's) if there is none.

        The list must not be empty.
        """
        floor = self._column_floor[command]
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
        return best, choice

    def first_activate(self, candidates: list[CommandCandidate]) -> tuple[int, CommandCandidate]:
        """Time and candidate of the first legal activate; the list must not be empty."""
        floor, group_floor = self._row_floor, self._row_group_floor
        best, choice = NEVER, candidates[0]
        for candidate in candidates:
            bank = candidate[1]
            time = group_floor[bank.group]
            if time < floor:
                time = floor
            if time < bank.activate_at:
                time = bank.activate_at
            if time < best:
                best, choice = time, candidate
                if time == floor:
                    break
        return best, choice

    def after_column(self, group: int, command: int, time: int) -> None:
        """A RD or WR at ``time``: burst spacing for its kind, turn-around for the other."""
        delays, other = self._delays, 1 - command
        floor, group_floor = self._column_floor, self._column_group_floor
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
        self._row_group_floor[group] = time + delays.row_to_row_group
        activates.append(time)
        floor, window = time + delays.row_to_row, activates[0] + delays.four_rows
        self._row_floor = floor if floor > window else window

    def no_column_before(self, command: int, time: int) -> None:
        """A command that could not be chosen before ``time`` is not legal before it either."""
        if self._column_floor[command] < time:
            self._column_floor[command] = time
