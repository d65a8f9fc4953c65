"""``explain``: what held a run up, and what relief would gain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tlm.cli.options import AsJson, Memory


def explain(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A folder that a run left.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Run every relieved chip and hold it to its bound.")
    ] = False,
    workload: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="The job (or federated recording), where it is not one that ships."
        ),
    ] = None,
    mem: Memory = None,
    as_json: AsJson = False,
) -> None:
    """Say what held a run up, and what twice as much of each resource would gain."""
    from tlm.errors import ConfigError
    from tlm.federated.files import is_federated
    from tlm.federated.repeat import iteration_job

    if is_federated(run_dir):
        from tlm.cli.federated_explanation import explain_federated

        if verify or mem is not None:
            option, why = (
                ("--verify", "every relief of a federated run is simulated already")
                if verify
                else ("--mem", "of a federated run no chip is simulated again")
            )
            raise ConfigError(f"{option}: {why}; leave it out")
        explain_federated(run_dir, workload, as_json)
        return
    from tlm.cli.explain_screen import show
    from tlm.cli.explanation import explanation
    from tlm.running.memory import parse_memory

    job = workload or iteration_job(run_dir)
    result = explanation(run_dir, job, verify, parse_memory(mem))
    if as_json:
        typer.echo(json.dumps(result.as_json(), indent=1, allow_nan=False))
    else:
        show(result)
