"""Run: what a run left, shown as its summary, with frames and figures one call away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group

import tlm.trace
from tlm.cli.progress import progress_bar
from tlm.cli.screen import screen
from tlm.cli.tables import screen_width
from tlm.config.layers import LoadedChip, load_chip
from tlm.errors import InvalidResultError, TraceError
from tlm.notebook.page import summary_html
from tlm.notebook.picture import Picture
from tlm.running.cost import SimulationCost
from tlm.running.manifest import read_cost
from tlm.running.runner import run_job
from tlm.trace.summary import Summary
from tlm.trace.summary_file import read_summary
from tlm.workload.drawn.kinds import ActivityKind
from tlm.workload.inference import Stop
from tlm.workload.model import RunMode, Workload

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, repr=False)
class Run:
    """A finished run: its folder, summary, chip, and what it cost to simulate.

    A notebook shows it as a page, a terminal as the screen of ``python -m tlm run``. Frames need
    the extra ``frames``; times are in ps, sizes in bytes, energies in pJ.
    """

    folder: Path
    summary: Summary
    chip: LoadedChip
    cost: SimulationCost

    @property
    def ok(self) -> bool:
        """Whether every invariant holds."""
        return self.summary.ok

    @property
    def layers(self) -> Sequence[str]:
        """Names of the job's layers, in the order of their numbers."""
        return tuple(self.summary.work)

    @property
    def transactions(self) -> pandas.DataFrame:
        """One row per transaction; empty if the run was traced at level ``phase``."""
        return self._frame("transactions")

    @property
    def activity(self) -> pandas.DataFrame:
        """One row per interval of an engine's time, which they tile without overlap."""
        return self._frame("activity")

    @property
    def energy(self) -> pandas.DataFrame:
        """One row per (component, action, phase, layer): count times pJ, with its source."""
        from tlm_analysis.reading.frames import energy_frame

        return energy_frame(self.folder, self.layers)

    def trace(self) -> tlm.trace.Trace:
        """The trace as NumPy arrays; to be used with ``with``, or closed.

        Raises:
            TraceError: the run left none, or it is damaged.
        """
        return tlm.trace.open(self.folder)

    def plot(self, figure: str = "utilisation") -> Picture:
        """A figure of the run, as ``python -m tlm plot`` draws it.

        Raises:
            TraceError: there is no figure of that name; the line lists those there are.
        """
        from tlm_analysis.plots import png, run_figures

        figures = run_figures(self.folder)
        if figure not in figures:
            raise TraceError(
                f"{self.folder}: no figure {figure!r}; there are: {', '.join(figures)}"
            )
        return Picture(figures[figure], png(figures[figure]))

    def _frame(self, table: str) -> pandas.DataFrame:
        from tlm_analysis.reading.frames import trace_frame

        with self.trace() as trace:
            return trace_frame(trace, table, self.layers)

    def __rich__(self) -> Group:
        return screen(self)

    def __repr__(self) -> str:
        text = StringIO()
        # In a notebook rich would display the text instead of writing it.
        plain = Console(
            file=text, width=screen_width(), force_jupyter=False, markup=False, emoji=False
        )
        plain.print(screen(self))
        return text.getvalue()

    def _repr_html_(self) -> str:
        return summary_html(self.summary, self.chip, self.folder)


# More than six parameters: users call it by keyword, as the command line has them.
def run(
    workload: str | Workload,
    *,
    chip: str = "neuromc-20",
    overrides: Mapping[str, object] | None = None,
    iteration: int | None = None,
    mapping: str | Path | None = None,
    activity: ActivityKind = "recorded",
    weights: str = "dense",
    mode: RunMode | None = None,
    batch: int | None = None,
    stop: Stop = "all-steps",
    out: str | Path | None = None,
    trace: str = "transaction",
) -> Run:
    """Simulate a recorded job on a chip, leave a run folder, and give the finished run.

    Args:
        workload: name of a bundled job, path of a workload file, or an open job.
        chip: name of a preset, or path of a chip file.
        overrides: single values of the chip, as ``{"core.clock": "400 MHz"}``.
        iteration: which recorded training iteration; the last by default.
        mapping: mapping file; without it the mapper of the chip's ``mapping`` keys decides.
        activity: ``recorded``; ``dense``, where nothing is skipped; or ``ann``, the same network
            as a dense ANN with T = 1.
        weights: which weights are not zero, as :mod:`tlm.workload.drawn.weights` spells them.
        mode: ``training``, or ``inference``, the forward pass alone; by default what the job was
            recorded for.
        batch, stop: in inference only so many samples, each after ``all-steps`` or at its
            ``first-spike``; see :mod:`tlm.workload.inference`.
        out: folder to use; a fresh one under ``runs/`` by default.
        trace: ``off``, ``phase`` or ``transaction``.

    Raises:
        TlmError: bad input (nothing is left behind), a deadlock, a folder that cannot be written.
        InvalidResultError: the run breaks a conservation law; ``open_run`` shows which.
    """
    with progress_bar() as on_progress:
        result = run_job(
            workload,
            chip=chip,
            overrides=[f"{key}={value}" for key, value in (overrides or {}).items()],
            iteration=iteration,
            mapping=None if mapping is None else Path(mapping),
            activity=activity,
            weights=weights,
            mode=mode,
            batch=batch,
            stop=stop,
            out=None if out is None else Path(out),
            trace=trace,
            on_progress=on_progress,
        )
    if not result.ok:
        raise InvalidResultError(
            f"{result.folder}: the run breaks {', '.join(result.summary.broken)}; "
            "do not use its figures, and please report it"
        )
    return Run(result.folder, result.summary, result.chip, result.cost)


def open_run(folder: str | Path) -> Run:
    """Open the folder of a finished run.

    Raises:
        TraceError: there is no such run, or it did not end.
    """
    place = Path(folder)
    summary, cost = read_summary(place), read_cost(place)
    return Run(place, summary, load_chip(place / "config.resolved.yaml"), cost)
