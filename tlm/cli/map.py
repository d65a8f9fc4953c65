"""``map``: compare ways to lay a job over the cores, and write the best as a mapping file."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tlm.cli.options import DEFAULT_CHIP, Memory, Overrides

if TYPE_CHECKING:
    from tlm.placement.search import Candidate
    from tlm.running.preparation import PlacedJob
    from tlm.running.request import RunRequest


class Objective(StrEnum):
    """What a search makes small."""

    TIME = "time"
    ENERGY = "energy"
    EDP = "edp"


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
    objective: Annotated[Objective, typer.Option(help="What to make small.")] = Objective.TIME,
    search: Annotated[SearchKind, typer.Option(help="How far to search.")] = SearchKind.LOCAL,
    overrides: Overrides = None,
    iteration: Annotated[
        int | None, typer.Option(help="Which recorded iteration; the last one if not given.")
    ] = None,
    simulate: Annotated[
        int,
        typer.Option(min=0, max=5, help="Simulate the best N by estimate; keep the best of them."),
    ] = 0,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Where the best mapping goes; - for nowhere.")
    ] = Path("mapping.yaml"),
    mem: Memory = None,
) -> None:
    """Search for a mapping by estimate; print the best ones, write the first for run --mapping.

    With --simulate the best of the simulated ones is written instead.
    """
    from tlm.running.folder import write_atomic
    from tlm.running.memory import parse_memory, within_memory
    from tlm.running.preparation import place_job
    from tlm.running.request import RunRequest
    from tlm.storage.mapping_file import choice_text

    search_settings = (f"mapping.search={search.value}", f"mapping.objective={objective.value}")
    settings = (*(overrides or ()), *search_settings)
    mem_bytes = parse_memory(mem)
    request = RunRequest(workload, chip, settings, iteration, trace="off", mem_bytes=mem_bytes)
    with within_memory(mem_bytes, f"{workload}: memory ran out in the search"):
        placed = place_job(request)
    chosen = placed.plan.chosen
    assert chosen is not None  # no mapping file was given
    simulated = [_simulate(request, placed, candidate) for candidate in chosen.ranked[:simulate]]
    _show(placed, simulated)
    best = min(range(len(simulated)), key=lambda n: simulated[n].score(objective), default=0)
    if str(out) != "-":
        write_atomic(out, choice_text(placed.plan, chosen.ranked[best].grids, chosen, best))
        command = ["python", "-m", "tlm", "run", workload, "--chip", chip]
        command += [word for text in overrides or () for word in ("--set", text)]
        command += [] if iteration is None else ["--iteration", str(iteration)]
        typer.echo(f"written: {out}; run it with")
        typer.echo(shlex.join([*command, "--mapping", str(out)]))


@dataclass(frozen=True)
class Simulated:
    """What a simulation says of a mapping."""

    time_ps: int
    energy_pj: float

    def score(self, objective: Objective) -> float:
        """What is to be small."""
        return {
            Objective.TIME: float(self.time_ps),
            Objective.ENERGY: self.energy_pj,
            Objective.EDP: self.time_ps * self.energy_pj,
        }[objective]


def _simulate(request: RunRequest, placed: PlacedJob, candidate: Candidate) -> Simulated:
    """Run one of the mappings as anybody could: by its mapping file."""
    from tempfile import TemporaryDirectory

    from tlm.running.folder import write_atomic
    from tlm.running.runner import run_request
    from tlm.storage.mapping_file import choice_text

    with TemporaryDirectory() as folder:
        file = Path(folder) / "mapping.yaml"
        write_atomic(file, choice_text(placed.plan, candidate.grids))
        summary = run_request(replace(request, mapping=str(file)), Path(folder) / "run").summary
    return Simulated(summary.time.makespan_ps, summary.energy.total_pj)


def _show(placed: PlacedJob, simulated: list[Simulated]) -> None:
    from tlm.cli.tables import ScreenTable, console

    chosen = placed.plan.chosen
    assert chosen is not None
    columns = ["cores of each layer", "time", "energy", "DRAM"]
    columns += ["simulated time", "simulated energy"] if simulated else []
    title = f"Best mappings on {placed.chip.config.name}"
    table = ScreenTable(title, "found by", *columns, prose=columns[:1])
    for index, candidate in enumerate(chosen.ranked):
        cost = candidate.estimate
        measured = ["", ""] if simulated else []
        if index < len(simulated):
            run = simulated[index]
            measured = [f"{run.time_ps / 1e6:.4g} us", f"{run.energy_pj / 1e9:.4g} mJ"]
        table.add_row(
            candidate.origin,
            " ".join(str(grid.split.parts) for grid in candidate.grids),
            f"{cost.time_ps / 1e6:.4g} us",
            f"{cost.energy_pj / 1e9:.4g} mJ",
            f"{cost.dram_bytes / 1e6:.4g} MB",
            *measured,
        )
    out = console()
    out.print(table)
    out.print()
    out.print(
        f"{chosen.tried} mappings compared by {chosen.objective}, estimated from recorded work"
    )
