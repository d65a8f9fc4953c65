"""``counterfactual``: the same job recorded, dense and as an ANN, side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tlm.cli.options import DEFAULT_CHIP, Memory, ModeOption, Overrides, mode_of

if TYPE_CHECKING:
    from tlm.cli.tables import ScreenTable
    from tlm.studies.counterfactual import RunFigures, Simulate
    from tlm.workload.model import RunMode


def counterfactual(
    workload: Annotated[str, typer.Argument(help="A recorded job: a bundled name or a file.")],
    chip: Annotated[
        str, typer.Option("--chip", metavar="PRESET|FILE", help="The chip to run it on.")
    ] = DEFAULT_CHIP,
    overrides: Overrides = None,
    density: Annotated[
        list[float] | None,
        typer.Option(min=1e-4, max=1.0, help="A density to draw for the break-even; repeatable."),
    ] = None,
    mode: ModeOption = None,
    mem: Memory = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Say what spiking and sparsity buy or cost: the job dense, as an ANN, and the break-even.

    Runs the recorded job, the same with nothing skipped, the same network as a dense ANN (T = 1,
    16 bit), and the network with masks drawn at several densities; a run that breaks an invariant
    ends the command.
    """
    from tlm.cli.tables import console
    from tlm.running.memory import parse_memory, within_memory
    from tlm.studies.counterfactual import DENSITIES, at_densities, run_figures
    from tlm.workload import open_workload
    from tlm.workload.drawn.kinds import ACTIVITY_KINDS
    from tlm.workload.mode import require_training

    mem_bytes = parse_memory(mem)
    with within_memory(mem_bytes, f"{workload}: memory ran out between two runs"):
        job = open_workload(workload)
        require_training(job, "masks are drawn of training: name a job recorded for training")
        simulate = simulator(chip, overrides or [], mem_bytes, mode_of(mode))
        runs: dict[str, RunFigures] = {
            kind: run_figures(simulate(job, kind)) for kind in ACTIVITY_KINDS
        }
        drawn = at_densities(job, simulate, sorted(density or DENSITIES))
    if as_json:
        typer.echo(json.dumps(_figures(runs, drawn), indent=2, allow_nan=False))
        return
    out = console()
    out.print(_phases(runs))
    out.print()
    out.print(_drawn(runs["ann"], drawn))
    out.print()
    for line in _verdict(runs["ann"], drawn):
        out.print(line)


def simulator(
    chip: str, overrides: Sequence[str], mem_bytes: int | None, mode: RunMode | None = None
) -> Simulate:
    """Runs without a trace in a folder that is thrown away; says what runs on stderr."""
    from tempfile import TemporaryDirectory

    from tlm.errors import InvalidResultError
    from tlm.running.runner import run_job
    from tlm.trace.summary import Summary
    from tlm.workload.drawn.kinds import ActivityKind
    from tlm.workload.model import Workload

    def simulate(job: Workload, kind: ActivityKind) -> Summary:
        masks = job.activity if kind == "recorded" else kind
        typer.echo(f"running {job.name}, {masks}", err=True)
        with TemporaryDirectory() as folder:
            out = Path(folder) / "run"
            result = run_job(
                job,
                chip=chip,
                overrides=overrides,
                out=out,
                trace="off",
                activity=kind,
                mem_bytes=mem_bytes,
                mode=mode,
            )
        if not result.ok:
            raise InvalidResultError(
                f"{job.name}, {masks}: the run breaks {sorted(result.summary.broken)}; "
                "please report it"
            )
        return result.summary

    return simulate


def _figures(runs: dict[str, RunFigures], drawn: dict[float, RunFigures]) -> dict[str, object]:
    return {
        "runs": {name: asdict(run) for name, run in runs.items()},
        "drawn": [{"density": density, **asdict(run)} for density, run in drawn.items()],
        "break_even_density": dict(_break_even(runs["ann"], drawn)),
    }


def _break_even(ann: RunFigures, drawn: dict[float, RunFigures]) -> list[tuple[str, float | None]]:
    from tlm.studies.counterfactual import break_even

    times = [(density, float(run.makespan_ps)) for density, run in drawn.items()]
    energies = [(density, run.total_pj) for density, run in drawn.items()]
    cores = [(density, run.core_pj) for density, run in drawn.items()]
    return [
        ("time", break_even(times, ann.makespan_ps)),
        ("energy", break_even(energies, ann.total_pj)),
        ("energy of the cores", break_even(cores, ann.core_pj)),
    ]


def _phases(runs: dict[str, RunFigures]) -> ScreenTable:
    from tlm.cli.tables import ScreenTable
    from tlm.quantity_text import energy_text, nbytes_text, time_text

    table = ScreenTable(
        "As recorded and otherwise", "figure", *runs, "dense / recorded", "ann / recorded"
    )
    phases = list(dict.fromkeys(name for run in runs.values() for name in run.span_ps))
    rows = [
        ("time", time_text, [float(run.makespan_ps) for run in runs.values()]),
        ("energy", energy_text, [run.total_pj for run in runs.values()]),
        ("core energy", energy_text, [run.core_pj for run in runs.values()]),
        ("DRAM", nbytes_text, [float(run.dram_nbytes) for run in runs.values()]),
        ("core to core", nbytes_text, [float(run.message_nbytes) for run in runs.values()]),
    ]
    for phase in phases:
        spans = [float(run.span_ps.get(phase, 0)) for run in runs.values()]
        energies = [run.phase_pj.get(phase, 0.0) for run in runs.values()]
        rows.append((f"{phase.upper()} span", time_text, spans))
        rows.append((f"{phase.upper()} energy", energy_text, energies))
    for name, text, values in rows:
        ratios = [f"{value / values[0]:.2f}" if values[0] else "-" for value in values[1:]]
        table.add_row(name, *map(text, values), *ratios)
    return table


def _drawn(ann: RunFigures, drawn: dict[float, RunFigures]) -> ScreenTable:
    from tlm.cli.tables import ScreenTable
    from tlm.quantity_text import energy_text, time_text

    columns = ("density of all masks", "time", "/ ann", "energy", "/ ann", "cores", "/ ann")
    table = ScreenTable("With drawn masks", *columns)
    for density, run in drawn.items():
        time, energy = run.makespan_ps / ann.makespan_ps, run.total_pj / ann.total_pj
        core = run.core_pj / ann.core_pj
        cells = [time_text(run.makespan_ps), f"{time:.2f}", energy_text(run.total_pj)]
        cells += [f"{energy:.2f}", energy_text(run.core_pj), f"{core:.2f}"]
        table.add_row(f"{density:.1%}", *cells)
    return table


def _verdict(ann: RunFigures, drawn: dict[float, RunFigures]) -> list[str]:
    low, high = min(drawn), max(drawn)
    lines = []
    for what, density in _break_even(ann, drawn):
        if density is not None:
            lines.append(f"{what} breaks even with the ANN at a density of {density:.1%}")
        else:
            lines.append(
                f"{what} does not break even with the ANN between {low:.1%} and {high:.1%}"
            )
    lines.append(
        "Drawn spikes, masks and gradients are independent and of one density (Bernoulli); between "
        "two of them a power law is assumed. Clustered masks of a recorded job skip more. Cores: "
        "engines, their buffers and units, without network, DRAM and leakage."
    )
    return lines
