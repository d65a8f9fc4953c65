"""``plot``: the pictures of a finished run."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from tlm.cli.composition import load_analysis


def plot(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A folder that a run left.")],
) -> None:
    """Draw utilisation, DRAM bandwidth and energy of a run; print the files written."""
    load_analysis()
    for picture in import_module("analysis.plots").plot_run(run_dir):
        typer.echo(picture)
