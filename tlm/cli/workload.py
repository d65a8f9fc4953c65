"""``workload info|plot|check|import`` and ``record``: look at a recorded job, or make one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tlm.cli.options import AsJson

workload_app = typer.Typer(help="Look at recorded jobs.", no_args_is_help=True)


@workload_app.callback()
def _workload() -> None:
    """Look at recorded jobs."""


File = Annotated[
    str, typer.Argument(metavar="FILE", help="A recorded job: a bundled name or a file.")
]


@workload_app.command()
def info(file: File, as_json: AsJson = False) -> None:
    """Print layers, shapes, measured densities, accuracy and provenance of a recorded job.

    Of a federated run (fed-mnist, or a folder): data by worker, accuracy by round, bytes.
    """
    from tlm.cli.tables import console
    from tlm.cli.workload_federated import federated_parts
    from tlm.cli.workload_screen import info_parts
    from tlm.workload import open_workload
    from tlm.workload.federated import FILE_NAME, is_federated, open_federated
    from tlm.workload.report.describe import info_figures

    if is_federated(file):
        run = open_federated(file)
        text = (run.folder / FILE_NAME).read_text(encoding="utf-8").rstrip() if as_json else ""
        parts = federated_parts(run)
    else:
        job = open_workload(file)
        text = json.dumps(info_figures(job), indent=1, allow_nan=False) if as_json else ""
        parts = info_parts(job)
    if as_json:
        typer.echo(text)
        return
    out = console()
    for part in parts:
        out.print(part)


@workload_app.command()
def check(file: File) -> None:
    """Read a recorded job whole, checksums and all, and rebuild what is recorded exactly."""
    from tlm.cli.tables import Hanging, console
    from tlm.cli.workload_screen import audit_table
    from tlm.workload import open_workload
    from tlm.workload.report.audit import audit, flip_lines

    out = console()
    workload = open_workload(file)
    for iteration in audit(workload):
        if iteration.layers:
            out.print(audit_table(iteration))
            out.print()
        for line in flip_lines(iteration):
            out.print(Hanging(line))
    number, levels = len(workload.iterations), ", ".join(workload.levels)
    iterations = f"iteration{'s' if number > 1 else ''}"
    out.print(f"{workload.path}: ok, {number} {iterations} read ({levels})")


@workload_app.command("plot")
def plot_job(
    file: File,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the folder plots is made.")
    ] = Path(),
) -> None:
    """Draw densities by layer and step, rasters, and densities over training."""
    from tlm_analysis.plots.workload import plot_workload

    from tlm.workload import open_workload

    for picture in plot_workload(open_workload(file), out):
        typer.echo(picture)


@workload_app.command("import")
def import_network(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="A NIR graph (.nir), a topology of SCALE-Sim (.csv), a list of layers of ZigZag "
            "or problems of Timeloop, a layer each (.yaml).",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The network's file; NAME.json if not given."),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, max=4096, help="B, which no such file knows.")] = 16,
    steps: Annotated[int, typer.Option(min=1, max=4096, help="T, which no such file knows.")] = 4,
) -> None:
    """Turn another tool's network into one without tensors, to be run with masks that are drawn."""
    from tlm.cli.tables import Hanging, console
    from tlm.cli.workload_screen import layer_table
    from tlm.exchange import read_network
    from tlm.workload.network_file import write_network

    network = read_network(files, batch, steps)
    path = out or Path(f"{network.name}.json")
    write_network(path, network)
    screen = console()
    screen.print(layer_table(network.layers))
    macs = sum(layer.macs for layer in network.layers)
    screen.print(Hanging(f"{macs:,} multiply-accumulates a sample and step; {network.source}"))
    if files[0].suffix != ".nir":
        screen.print(Hanging("pools, padding and sums are inferred from sizes: look at them above"))
    typer.echo(f"python -m tlm run '{path}:bernoulli(0.15)'")


def record(
    name: Annotated[str, typer.Argument(help="A bundled recipe, such as mnist-fc.")],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the data set's files lie.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The file to write, or a federated recipe's folder."),
    ] = None,
) -> None:
    """Train a bundled recipe's network and record its tensors (needs the extra `capture`).

    MNIST and digits come from installed wheels without --data; other data need it. Jobs for
    inference need no extra.
    """
    from tlm.cli.progress import training_bar
    from tlm.workload.training.record import record as record_job

    with training_bar() as moved:
        path = record_job(name, data, out, moved)
    typer.echo(path)
