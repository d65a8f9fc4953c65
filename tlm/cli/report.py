"""``report``: one HTML file about a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FILE_NAME = "report.html"


def report(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A folder that a run left.")],
    workload: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The job, where it is not one that ships."),
    ] = None,
) -> None:
    """Write report.html into a run's folder: every figure on one page, nothing fetched."""
    typer.echo(write_report(run_dir, workload))


def write_report(run_dir: Path, workload: str | None) -> Path:
    """Write the report, with a bar on terminals; returns its path."""
    from tlm_analysis.report import federated_page, page

    from tlm.cli.progress import steps_bar
    from tlm.federated.files import is_federated
    from tlm.federated.repeat import iteration_job
    from tlm.running.folder import write_atomic

    if is_federated(run_dir):
        text = federated_page.federated_html(run_dir)
    else:
        with steps_bar("report", page.FIGURES + 1) as step:
            text = page.report_html(run_dir, workload or iteration_job(run_dir), step)
    write_atomic(run_dir / FILE_NAME, text)
    return run_dir / FILE_NAME
