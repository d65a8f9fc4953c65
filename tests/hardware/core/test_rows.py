"""Rows that a chip leaves while somebody takes them: both kernels hand over the same."""

from __future__ import annotations

import pytest

from tests.hardware.core.bench import FP0, FP1
from tests.hardware.kernels import tuples
from tlm.kernel import run_until
from tlm.space.program import Program
from tlm.space.trace_rows import ActivityRow

EVENTS = 60  # after which somebody looks at the rows of a run


class Watched:
    """A run whose activity somebody takes while it goes on; always the same run."""

    def __init__(self, new_bench):
        bench = new_bench()
        for tile in range(20):
            bench.add(FP0, 10 + tile, reads=((256 * tile, 256),))
            bench.add(FP1, 30 - tile, writes=((8192 + 256 * tile, 256),))
        program = Program(bench.tiles, bench.done)
        self.chip, _, self.rows = bench.kernel.chip(bench.config, bench.timing, program)

    def half(self):
        """Go on for some events."""
        for _ in range(EVENTS):
            self.chip.env.step()

    def end(self):
        """Go on to the end."""
        run_until(self.chip.env, self.chip.finished)
        self.chip.settle()

    def keep(self, begin_ps, end_ps):
        """Drop the new rows out of a window."""
        self.rows.keep_window("begin", "end", begin_ps, end_ps)


@pytest.fixture
def every_row(new_bench):
    """(rows after the first half, all rows) of a run that nobody disturbs."""
    watched = Watched(new_bench)
    watched.half()
    half = len(watched.rows)
    watched.end()
    rows = [ActivityRow(*row) for row in tuples(watched.rows)]
    assert 5 < half < len(rows) - 5
    return half, rows


def within(rows, window):
    """The rows of which some part lies in a window."""
    return [row for row in rows if row.begin < window[1] and row.end > window[0]]


def window_of(rows):
    """From the end of the second row to the begin of the last but one: neither is in it."""
    return rows[1].end, rows[-2].begin


def test_new_rows_alone_are_dropped(new_bench, every_row):
    """What was kept of the first half stays, whatever the window is that the second is held to."""
    half, rows = every_row
    first, second = window_of(rows[:half]), window_of(rows[half:])
    watched = Watched(new_bench)
    watched.half()
    watched.keep(*first)
    watched.end()
    watched.keep(*second)
    kept = within(rows[:half], first) + within(rows[half:], second)
    assert tuples(watched.rows) == kept
    assert 0 < len(within(rows[:half], first)) < half


@pytest.mark.parametrize("taken", [1, 3])
def test_what_is_taken_is_gone_and_the_rest_is_in_order(new_bench, every_row, taken):
    """Rows that were looked at and taken leave no trace in what is looked at next."""
    half, rows = every_row
    watched = Watched(new_bench)
    watched.half()
    watched.keep(0, rows[-1].end)
    assert watched.rows.take(taken).tolist() == rows[:taken]
    assert len(watched.rows) == half - taken
    watched.end()
    window = window_of(rows[half:])
    watched.keep(*window)
    assert tuples(watched.rows) == rows[taken:half] + within(rows[half:], window)


def test_cleared_rows_are_gone(new_bench, every_row):
    """All of them; those that come after are new."""
    half, rows = every_row
    watched = Watched(new_bench)
    watched.half()
    watched.keep(0, rows[-1].end)
    watched.rows.clear()
    assert len(watched.rows) == 0
    watched.end()
    window = window_of(rows[half:])
    watched.keep(*window)
    assert tuples(watched.rows) == within(rows[half:], window)
