"""``config show`` and ``config check``: chip descriptions, without running anything."""

from __future__ import annotations

from pathlib import Path
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
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Chip descriptions.")],
) -> None:
    """Check chip descriptions; print one line each, or every problem found."""
    from tlm.config import load_chip

    problems = []
    for file in files:
        try:
            config = load_chip(file).config
        except ConfigError as error:
            problems.append(str(error))
        else:
            typer.echo(f"{file}: ok: {config.name}, {config.cores} cores")
    if problems:
        raise ConfigError("\n".join(problems))
