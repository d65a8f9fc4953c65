"""The commands of a DRAM channel, written down in some intervals between two refreshes.

All banks are closed where an interval begins, so that it can be checked without what came before.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

EVERY_BANK = -1  # the bank of a command to all banks
SPREAD = 8  # the 1st, 8th, 64th, 512th, ... interval is written down: short and long runs alike


class DramCommand(IntEnum):
    """What the controller tells the device; ``PRECHARGE_ALL`` comes before a refresh."""

    READ = 0
    WRITE = 1
    ACTIVATE = 2
    PRECHARGE = 3
    PRECHARGE_ALL = 4
    REFRESH = 5


class IssuedCommand(NamedTuple):
    """A command at ``time`` in ps; ``row`` is that of the bank, -1 where none is meant."""

    time: int
    command: DramCommand
    bank: int
    row: int


class CommandLog:
    """A sample of the commands of a channel, one list for each interval, not in order of time.

    A precharge is written down when it has become certain. Whoever issues commands asks ``on``
    before it calls ``add``.
    """

    __slots__ = ("_intervals", "intervals", "on")

    def __init__(self) -> None:
        self._intervals = 1
        self.intervals: list[list[IssuedCommand]] = [[]]
        self.on = True

    def add(self, time: int, command: DramCommand, bank: int = EVERY_BANK, row: int = -1) -> None:
        """Write a command down."""
        self.intervals[-1].append(IssuedCommand(time, command, bank, row))

    def refresh(self, time: int) -> None:
        """A refresh at ``time``, with which an interval ends and another begins."""
        if self.on:
            self.add(time, DramCommand.REFRESH)
        self._intervals += 1
        count = self._intervals
        while count % SPREAD == 0:
            count //= SPREAD
        self.on = count == 1
        if self.on:
            self.intervals.append([IssuedCommand(time, DramCommand.REFRESH, EVERY_BANK, -1)])
