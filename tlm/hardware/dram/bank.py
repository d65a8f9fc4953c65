"""One DRAM bank: its open row, when it may do what, and the bursts that wait for it."""

from __future__ import annotations

from tlm.kernel import Transaction

NEVER = 1 << 62  # a time in ps beyond every run (53 days)
CLOSED = -1  # the open row of a precharged bank


class Join:
    """Counts down the runs of a transaction that is spread over several banks."""

    __slots__ = ("runs_left",)

    def __init__(self, runs: int) -> None:
        self.runs_left = runs


class RowRun:
    """Consecutive bursts of one transaction in one row; what the queues hold.

    ``order`` is its place in order of acceptance, ``accepted`` the time of it in ps.
    """

    __slots__ = ("accepted", "join", "left", "order", "row", "transaction")

    def __init__(
        self,
        transaction: Transaction,
        row: int,
        left: int,
        order: int,
        accepted: int,
        join: Join | None,
    ) -> None:
        self.transaction = transaction
        self.row = row
        self.left = left
        self.order = order
        self.accepted = accepted
        self.join = join


class Bank:
    """State of one bank; times are the earliest ps at which a command is legal.

    ``index`` is its number in the channel. ``hits`` and ``misses`` hold the waiting runs for the
    open row and for other rows, one list for reads and one for writes, each in order of acceptance.
    ``opened_for`` is the command (0 read, 1 write) whose run the row was opened for, until that run
    has its first column command; -1 otherwise. ``offer`` is the order of the run for which the bank
    asks for another row, -1 while it does not.
    """

    __slots__ = (
        "activate_at",
        "column_at",
        "group",
        "hits",
        "index",
        "misses",
        "offer",
        "opened_for",
        "precharge_at",
        "row",
    )

    def __init__(self, index: int, group: int) -> None:
        self.index = index
        self.group = group
        self.row = CLOSED
        self.activate_at = 0
        self.column_at = 0
        self.precharge_at = 0
        self.offer = -1
        self.opened_for = -1
        self.hits: tuple[list[RowRun], list[RowRun]] = ([], [])
        self.misses: tuple[list[RowRun], list[RowRun]] = ([], [])

    def open_row(self, row: int, command: int) -> None:
        """Activate ``row`` for a run of ``command``; waiting runs become hits or misses of it."""
        self.row = row
        self.opened_for = command
        if self.hits[0] or self.hits[1] or self.misses[1 - command]:
            self.sort_runs()
        else:  # nothing but misses of one kind waits: the usual case under random traffic
            misses = self.misses[command]
            self.hits[command].extend([run for run in misses if run.row == row])
            misses[:] = [run for run in misses if run.row != row]

    def close_row(self, activate_at: int) -> None:
        """Precharge; the next activate is legal at ``activate_at`` or later."""
        self.row = CLOSED
        self.opened_for = -1
        if self.activate_at < activate_at:
            self.activate_at = activate_at
        if self.hits[0] or self.hits[1]:
            self.sort_runs()

    def sort_runs(self) -> None:
        """Sort every waiting run into hits and misses of the present row."""
        row = self.row
        for hits, misses in zip(self.hits, self.misses, strict=True):
            if not hits and not misses:
                continue
            runs = sorted(hits + misses, key=_order) if hits else misses[:]
            hits[:] = [run for run in runs if run.row == row]
            misses[:] = [run for run in runs if run.row != row]


def _order(run: RowRun) -> int:
    return run.order
