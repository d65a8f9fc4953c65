"""Progress bars: of a run, and of a training run that is recorded."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from tlm.running.cost import RunCost
    from tlm.running.request import RunProgress

UPDATES_PER_S = 5
SILENT_S = 1.0  # a run that is over by then shows no bar
LONG_S = 10  # a run of more than this is announced even where stderr is no terminal


def _standard_error() -> Console:
    """Texts are shown as they are: a step may be called by somebody's name."""
    return Console(stderr=True, markup=False, emoji=False)


def show_estimate(cost: RunCost) -> None:
    """Say on stderr what a run will cost: on terminals, and always before long runs."""
    console = _standard_error()
    if sys.stderr.isatty() or cost.wall_s > LONG_S:
        console.print(
            f"{cost.transactions:,} transactions; estimated: {cost.wall_s:.0f} s to simulate, "
            f"{cost.trace_bytes / 1e6:,.1f} MB of trace, {cost.memory_bytes / 1e6:,.0f} MB memory",
            highlight=False,
            soft_wrap=True,
        )


@contextmanager
def progress_bar() -> Iterator[Callable[[RunProgress], None] | None]:
    """Give a callback that moves a bar on stderr; None where stderr is no terminal.

    The bar appears with its first figures, ``SILENT_S`` after the simulation began.
    """
    console = _standard_error()
    if not sys.stderr.isatty():
        yield None
        return
    bar = Progress(
        TextColumn("simulated {task.fields[simulated]}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[rate]} transactions/s"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        refresh_per_second=UPDATES_PER_S,
    )
    task = bar.add_task("run", simulated="", rate="", total=None)
    started = 0.0

    def move(state: RunProgress) -> None:
        nonlocal started
        now = time.perf_counter()
        started = started or now  # the first call: loading and placing are behind us
        if now - started < SILENT_S:
            return
        bar.update(
            task,
            total=state.tiles,
            completed=state.tiles_done,
            simulated=f"{state.time_ps / 1e6:,.1f} us",
            rate=f"{state.transactions / (now - started):,.0f}",
        )
        bar.start()

    try:
        yield move
    finally:
        bar.stop()


@contextmanager
def steps_bar(label: str, steps: int) -> Iterator[Callable[[str], None]]:
    """Give a callback to call before each of so many steps, with its name; silent off terminals."""
    console = _standard_error()
    if not sys.stderr.isatty():
        yield lambda name: None
        return
    with Progress(
        TextColumn(f"{label}: {{task.fields[step]}}", markup=False),
        BarColumn(),
        TextColumn("{task.completed} of {task.total}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        refresh_per_second=UPDATES_PER_S,
    ) as bar:
        task = bar.add_task(label, total=steps, step="")
        started = False

        def move(name: str) -> None:
            nonlocal started
            bar.update(task, advance=int(started), step=name)
            started = True

        yield move


@contextmanager
def training_bar() -> Iterator[Callable[[int, int], None] | None]:
    """Give a callback of (iterations done, in all); None where stderr is no terminal."""
    console = _standard_error()
    if not sys.stderr.isatty():
        yield None
        return
    with Progress(
        TextColumn("training"),
        BarColumn(),
        TextColumn("iteration {task.completed} of {task.total}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        refresh_per_second=UPDATES_PER_S,
    ) as bar:
        task = bar.add_task("train")

        def move(done: int, total: int) -> None:
            bar.update(task, total=total, completed=done)

        yield move
