"""``rerun``: repeat a run from its own record and compare byte by byte."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def rerun(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A folder that a run left.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the new run here; thrown away if not given."),
    ] = None,
    workload: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The job, where it is not one that ships."),
    ] = None,
) -> None:
    """Run again what a folder says was run, and compare everything it left byte by byte."""
    from tlm.errors import TraceError
    from tlm.federated.files import is_federated
    from tlm.running.repeat import rerun_run

    if is_federated(run_dir):
        raise TraceError(
            f"{run_dir}: a federated run, which rerun does not repeat; run its plan again, or "
            "rerun a folder under iterations/"
        )

    for line in rerun_run(run_dir, out, workload):
        typer.echo(line)
