"""``map``: compare ways to lay a job over the cores, and write the best as a mapping file."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tlm.cli.options import DEFAULT_CHIP, Memory, Overrides

if TYPE_CHECKING:
    from tlm.running.request import RunProgress
    from tlm.studies.mapping_search import MappingComparison


class ObjectiveChoice(StrEnum):
    """What a search makes small."""

    TIME = "time"
    ENERGY = "energy"
    EDP = "edp"
    BYTES = "bytes"


class SearchKind(StrEnum):
    """How far a search goes."""

    GREEDY = "greedy"
    LOCAL = "local"


def map_(
    workload: Annotated[
        str, typer.Argument(help="A recorded job: the name of a bundled one, or a file.")
    ],
    chip: Annotated[
        str, typer.Option("--chip", metavar="PRESET|FILE", help="The chip to lay it over.")
    ] = DEFAULT_CHIP,
    objective: Annotated[
        ObjectiveChoice,
        typer.Option(help="What to make small; edp is time x energy, bytes are those of DRAM."),
    ] = ObjectiveChoice.TIME,
    search: Annotated[SearchKind, typer.Option(help="How far to search.")] = SearchKind.LOCAL,
    overrides: Overrides = None,
    iteration: Annotated[
        int | None, typer.Option(help="Which recorded iteration; the last one if not given.")
    ] = None,
    mappings: Annotated[
        list[Path] | None,
        typer.Option("--from", metavar="FILE", help="A mapping to compare with; repeatable."),
    ] = None,
    simulate: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Simulate N mappings of the search; 4 if not given."),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Simulate as many as end within this time, such as 60s."),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Where the best mapping goes; - for nowhere.")
    ] = Path("mapping.yaml"),
    mem: Memory = None,
) -> None:
    """Search for a mapping, simulate the best by estimate, write the best by simulation.

    Always simulated are the mapping that run uses by itself, the layerwise one, and those of
    --from: what is written is never worse than these. Ctrl-C writes the best so far.
    """
    from tlm.errors import ConfigError, InterruptedRunError
    from tlm.files import require_writable
    from tlm.running.folder import write_atomic
    from tlm.running.memory import parse_memory, within_memory
    from tlm.running.request import RunRequest
    from tlm.studies.mapping_search import SIMULATED, SearchTerms, compare_mappings

    files = tuple(map(str, mappings or ()))
    _refuse_contradictions(overrides or (), simulate, budget)
    if out.resolve() in {file.resolve() for file in mappings or ()}:
        raise ConfigError(f"--out: {out}: is a file of --from; give another, or - for none")
    if str(out) != "-":
        require_writable(out)
    mem_bytes = parse_memory(mem)
    request = RunRequest(workload, chip, tuple(overrides or ()), iteration, mem_bytes=mem_bytes)
    count = SIMULATED if simulate is None else simulate
    terms = SearchTerms(objective.value, search.value, files, count, _seconds(budget))
    with within_memory(mem_bytes, f"{workload}: memory ran out in the search"):
        comparison = compare_mappings(request, terms, _watch)
    _show(comparison)
    if str(out) != "-":
        write_atomic(out, comparison.file_text())
        command = ["python", "-m", "tlm", "run", workload, "--chip", chip]
        command += [word for text in comparison.overrides for word in ("--set", text)]
        command += [] if iteration is None else ["--iteration", str(iteration)]
        typer.echo(f"written: {out}; run it with")
        typer.echo(shlex.join([*command, "--mapping", str(out)]))
    if comparison.stopped_by:
        raise InterruptedRunError(
            f"interrupted: the best is that of the {len(comparison.ranked)} simulated until then",
            comparison.stopped_by,
        )


def _refuse_contradictions(
    overrides: Sequence[str], simulate: int | None, budget: str | None
) -> None:
    from tlm.errors import ConfigError

    for option in ("search", "objective"):
        if any(text.partition("=")[0].strip() == f"mapping.{option}" for text in overrides):
            raise ConfigError(f"--set: mapping.{option}: give it as --{option}")
    if simulate is not None and budget is not None:
        raise ConfigError(
            "--simulate, --budget: both say how many mappings are simulated; give one of them"
        )


def _seconds(budget: str | None) -> float | None:
    from tlm.config import units
    from tlm.errors import ConfigError

    try:
        return None if budget is None else int(units.parse(units.TIME, budget)) / 1e12
    except ValueError as error:
        raise ConfigError(f"--budget: {error}") from None


@contextmanager
def _watch(text: str) -> Iterator[Callable[[RunProgress], None] | None]:
    """Say on stderr what goes on, and how far a simulation is."""
    from tlm.cli.progress import progress_bar

    typer.echo(text, err=True)
    with progress_bar() as on_progress:
        yield on_progress


def _show(comparison: MappingComparison) -> None:
    from tlm.cli.tables import ScreenTable, console
    from tlm.quantity_text import energy_text, nbytes_text, time_text

    columns = ("mapping", "time", "energy", "DRAM", "front", "cores of each layer")
    simulated = ScreenTable("Simulated, best first", *columns, prose=columns[-1:])
    errors = ("mapping", "time", "error", "energy", "error", "DRAM", "error")
    estimated = ScreenTable("As estimated", *errors)
    for mapping in comparison.ranked:
        name, run, cost = mapping.proposal.name, mapping.figures, mapping.proposal.estimate
        front = "yes" if comparison.on_front(mapping) else ""
        cells = (time_text(run.time_ps), energy_text(run.energy_pj), nbytes_text(run.dram_bytes))
        simulated.add_row(name, *cells, front, " ".join(map(str, mapping.proposal.cores)))
        estimated.add_row(
            name,
            time_text(cost.time_ps),
            f"{cost.time_ps / run.time_ps - 1:+.0%}",
            energy_text(cost.energy_pj),
            f"{cost.energy_pj / run.energy_pj - 1:+.0%}",
            nbytes_text(cost.dram_bytes),
            f"{cost.dram_bytes / run.dram_bytes - 1:+.0%}",
        )
    out = console()
    for table in (simulated, estimated):
        out.print(table)
        out.print()
    for line in _verdict(comparison):
        out.print(line)


def _verdict(comparison: MappingComparison) -> Iterator[str]:
    objective = comparison.terms.objective
    compared, simulated = comparison.compared, len(comparison.ranked)
    yield f"{compared} mappings compared by estimated {objective}, {simulated} simulated"
    yield "front: no other beats the mapping in time, energy and DRAM at once"
    for name, reason in comparison.unplaced.items():
        yield f"{name} cannot be placed: {reason}"
    best, default = comparison.best, comparison.default
    if best is default:
        yield "nothing better than the default was found"
    else:
        ratio = best.figures.score(objective) / default.figures.score(objective)
        yield f"{best.proposal.name} has {ratio:.3f} of the {objective} of the default"
