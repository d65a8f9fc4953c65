"""``config show`` and ``config check``: chip descriptions, without running anything."""

from __future__ import annotations

from typing import Annotated

import typer

from tlm.cli.options import DEFAULT_CHIP, Overrides
from tlm.errors import ConfigError

config_app = typer.Typer(help="Show or check chip descriptions.", no_args_is_help=True)


@config_app.command()
def show(
    chip: Annotated[
        str, typer.Argument(metavar="[CHIP]", help="A preset or a file.")
    ] = DEFAULT_CHIP,
    overrides: Overrides = None,
) -> None:
    """Print the complete chip description as YAML: every value, its unit and its origin."""
    from tlm.config import load_chip, resolved_yaml

    typer.echo(resolved_yaml(load_chip(chip, overrides or [])), nl=False)


@config_app.command()
def check(
    chips: Annotated[list[str], typer.Argument(metavar="CHIP...", help="Presets or files.")],
    workload: Annotated[
        str | None,
        typer.Option(metavar="JOB", help="Also place this job on them, as a run would."),
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Check chip descriptions; print one line each, or every problem found."""
    from tlm.config import load_chip
    from tlm.errors import MappingError, WorkloadError
    from tlm.running.preparation import check_chip, prepare
    from tlm.running.request import RunRequest

    problems = []
    for chip in chips:
        try:
            loaded = load_chip(chip, overrides or [])
            check_chip(loaded)
            if workload is not None:
                prepare(RunRequest(workload, chip, tuple(overrides or ())))
        except (ConfigError, MappingError, WorkloadError) as error:
            problems.append(str(error))
        else:
            job = "" if workload is None else f"; {workload} fits"
            typer.echo(f"{chip}: ok: {loaded.config.name}, {loaded.config.cores} cores{job}")
    if problems:
        raise ConfigError("\n".join(problems))
