"""Options that several verbs share."""

from __future__ import annotations

from typing import Annotated

import typer

DEFAULT_CHIP = "neuromc-20"

Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set one value of the chip, such as core.clock='400 MHz'; repeatable.",
    ),
]

AsJson = Annotated[
    bool, typer.Option("--json", help="Print the figures as JSON, for scripts, and nothing else.")
]
