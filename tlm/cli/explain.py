"""``explain``: what held a run up, and what relief gains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tlm.cli.options import AsJson, Memory


def explain(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A folder that a run left.")],
    workload: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="The job (or federated recording), where it is not one that ships."
        ),
    ] = None,
    mem: Memory = None,
    as_json: AsJson = False,
) -> None:
    """Say what held a run up, and what twice as much of each resource gains, each simulated."""
    from tlm.errors import ConfigError
    from tlm.federated.files import is_federated
    from tlm.federated.repeat import iteration_job

    if is_federated(run_dir):
        from tlm.cli.federated_explanation import explain_federated

        if mem is not None:
            raise ConfigError("--mem: of a federated run no chip is simulated again; leave it out")
        explain_federated(run_dir, workload, as_json)
        return
    from tlm.cli.explain_screen import show
    from tlm.cli.explanation import explanation
    from tlm.running.memory import parse_memory

    job = workload or iteration_job(run_dir)
    result = explanation(run_dir, job, parse_memory(mem))
    if as_json:
        typer.echo(json.dumps(result.as_json(), indent=1, allow_nan=False))
    else:
        show(result)
