"""Options that several verbs share."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tlm.workload.model import RunMode

DEFAULT_CHIP = "neuromc-20"


def job_names() -> list[str]:
    """Names of the bundled jobs, for completion."""
    from tlm.workload.bundled import bundled_names

    return bundled_names()


def chip_names() -> list[str]:
    """Names of the chip presets, for completion."""
    from tlm.config import presets

    return presets()


JobArgument = Annotated[
    str,
    typer.Argument(
        help="A recorded job: the name of a bundled one, or a file.", autocompletion=job_names
    ),
]

ChipOption = Annotated[
    str,
    typer.Option(
        "--chip",
        metavar="PRESET|FILE",
        help="The chip to run it on.",
        autocompletion=chip_names,
    ),
]

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


class ModeChoice(StrEnum):
    """All of a training iteration, or its forward pass alone."""

    TRAINING = "training"
    INFERENCE = "inference"


ModeOption = Annotated[
    ModeChoice | None,
    typer.Option(
        "--mode",
        help="All of the training iteration, or its forward pass alone; if not given, what the job "
        "was recorded for.",
    ),
]


BatchOption = Annotated[
    int | None,
    typer.Option("--batch", metavar="N", help="With --mode inference: only the first N samples."),
]


def mode_of(choice: ModeChoice | None) -> RunMode | None:
    """The mode that was asked for; None: that of the job."""
    return None if choice is None else choice.value


Memory = Annotated[
    str | None,
    typer.Option(
        "--mem",
        metavar="BYTES",
        help="Memory to stay within, such as 2GB; all that is free if not given.",
    ),
]
