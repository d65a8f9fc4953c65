"""``plot``: the pictures of a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def plot(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A folder that a run left.")],
) -> None:
    """Draw utilisation, DRAM bandwidth and energy of a run; print the files written.

    Of a federated run: accuracy, what each worker did when, and energy by worker.
    """
    from tlm_analysis.plots import run as plots
    from tlm_analysis.plots.federated import plot_federated

    from tlm.cli.progress import steps_bar
    from tlm.federated.files import is_federated

    if is_federated(run_dir):
        for picture in plot_federated(run_dir):
            typer.echo(picture)
        return
    with steps_bar("plot", plots.FIGURES) as step:
        pictures = plots.plot_run(run_dir, step)
    for picture in pictures:
        typer.echo(picture)
