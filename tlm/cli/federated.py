"""``federated``: several chips that train one model together, over a network."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tlm.cli.options import AsJson

if TYPE_CHECKING:
    from tlm.federated import FederatedResult


def federated_names() -> list[str]:
    """Names of the bundled federated runs, for completion."""
    from tlm.workload.federated import federated_names

    return federated_names()


def federated(
    plan: Annotated[
        str,
        typer.Argument(
            help="A plan (PLAN.yaml), or a recorded federated run: its name or its folder.",
            autocompletion=federated_names,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the run's files go.")
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, max=64, help="Chips simulated at a time; changes no figure.")
    ] = 2,
    as_json: AsJson = False,
) -> None:
    """Simulate N chips that train together, and print time, energy and accuracy by round.

    Recorded local iterations run on their chips; models and gradients cross a network between
    them. A plan sets protocol, network, chips, stragglers and drop-outs; what it leaves out is
    assumed.
    """
    from tlm.cli.progress import steps_bar
    from tlm.errors import InvalidResultError
    from tlm.federated import prepare_federation, run_federation

    prepared = prepare_federation(plan, jobs)
    with steps_bar("training", len(prepared.tasks) + 1) as on_step:
        result = run_federation(prepared, out, on_step)
    _print(result, as_json)
    if not result.ok:
        raise InvalidResultError(
            f"{result.folder}: the run breaks {len(result.summary.broken)} invariants, named "
            "above; do not use its figures, and please report it"
        )


def _print(result: FederatedResult, as_json: bool) -> None:
    if as_json:
        figures = {
            "folder": str(result.folder),
            "cost": asdict(result.cost),
            "summary": asdict(result.summary),
        }
        typer.echo(json.dumps(figures, indent=1, allow_nan=False))
        return
    from tlm.cli.federated_screen import screen
    from tlm.cli.tables import console

    console().print(screen(result))
