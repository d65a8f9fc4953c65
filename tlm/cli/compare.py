"""``compare``: what changed from one run to others, part by part."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tlm.cli.options import AsJson
from tlm.quantity_text import energy_text, time_text

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text
    from tlm_analysis.findings.compare import Change, RunComparison

    from tlm.cli.tables import ScreenTable

SHOWN = 10  # parts of a difference; the rest is one line


def compare(
    run_dirs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN_DIR RUN_DIR...", help="Runs; each is held against the first."),
    ],
    as_json: AsJson = False,
) -> None:
    """Take the difference in time and energy between runs apart; the parts add up exactly."""
    from tlm.cli.progress import steps_bar
    from tlm.cli.tables import console
    from tlm.errors import ConfigError

    if len(run_dirs) < 2:
        raise ConfigError("compare: expected at least two run folders, got one")
    from tlm_analysis.findings.compare import compare_runs

    comparisons = []
    with steps_bar("compare", len(run_dirs) - 1) as step:
        for other in run_dirs[1:]:
            step(other.name)
            comparisons.append(compare_runs(run_dirs[0], other))
    if as_json:
        typer.echo(
            json.dumps(
                [_as_json(comparison) for comparison in comparisons], indent=1, allow_nan=False
            )
        )
        return
    for comparison in comparisons:
        console().print(_screen(comparison))


def _as_json(comparison: RunComparison) -> dict[str, Any]:
    return {
        "before": str(comparison.before.folder),
        "after": str(comparison.after.folder),
        "chips": [run.summary.chip.name for run in (comparison.before, comparison.after)],
        "other_work": {key: list(pair) for key, pair in comparison.other_work.items()},
        "values": {key: list(pair) for key, pair in comparison.values.items()},
        "split_otherwise": list(comparison.split_otherwise),
        "makespan_ps": [
            run.summary.time.makespan_ps for run in (comparison.before, comparison.after)
        ],
        "time_ps": [
            {
                "phase": part.key[0],
                "resource": part.key[1],
                "before": int(part.before),
                "after": int(part.after),
                "change": int(part.change),
            }
            for part in comparison.time
        ],
        "total_pj": [run.summary.energy.total_pj for run in (comparison.before, comparison.after)],
        "partial_traces": list(comparison.partial),
        "energy_pj": [
            {
                "component": part.key[0],
                "action": part.key[1],
                "before": float(part.before),
                "after": float(part.after),
                "change": float(part.change),
                "from_work": float(part.work),
                "from_price": float(part.price),
            }
            for part in comparison.energy
        ],
    }


def _screen(comparison: RunComparison) -> Group:
    from rich.console import Group
    from rich.text import Text

    before, after = comparison.before, comparison.after
    text = Text(f"{after.folder} against {before.folder}\n", style="bold")
    for run in (before, after):
        work, chip = run.summary.workload, run.summary.chip
        mode = "" if work.mode == "training" else f" {work.mode}"
        text.append(
            f"  {run.folder}: {work.name}{mode}, B={work.batch} T={work.steps}, on {chip.name}\n"
        )
    if comparison.other_work:
        differing = [f"{k} {old} -> {new}" for k, (old, new) in comparison.other_work.items()]
        text.append(
            f"  not the same work: {', '.join(differing)}; the difference is not one of chips\n",
            style="bold yellow",
        )
    for key, (old, new) in list(comparison.values.items())[:SHOWN]:
        text.append(f"  {key}: {old or 'none'} -> {new or 'none'}\n")
    if len(comparison.values) > SHOWN:
        text.append(f"  and {len(comparison.values) - SHOWN} other chip values\n")
    if comparison.split_otherwise:
        text.append(f"  layers split otherwise: {', '.join(comparison.split_otherwise)}\n")
    for note in comparison.partial:
        text.append(f"  {note}\n")
    if comparison.partial:
        text.append("  critical paths need whole traces: the time is not taken apart\n")
    times = [run.summary.time.makespan_ps for run in (before, after)]
    energies = [run.summary.energy.total_pj for run in (before, after)]
    return Group(
        text,
        _line("Time", times, time_text),
        _parts("on the critical path", ("phase", "resource"), comparison.time, times[0], time_text),
        Text(),
        _line("Energy", energies, energy_text),
        _parts(
            "by component", ("component", "action"), comparison.energy, energies[0], energy_text
        ),
    )


def _line(what: str, values: Sequence[float], words: Callable[[float], str]) -> Text:
    from rich.text import Text

    before, after = values
    change = f"{after / before - 1:+.2%}"
    return Text(f"{what} {words(before)} -> {words(after)}, {change}", style="bold")


def _parts(
    title: str,
    heads: tuple[str, str],
    changes: Sequence[Change],
    whole: float,
    words: Callable[[float], str],
) -> ScreenTable:
    """The largest parts of a difference, then the others and the sum."""
    from tlm.cli.tables import ScreenTable

    priced = heads[0] == "component"
    extra = ("from work", "from price") if priced else ()
    table = ScreenTable(title, *heads, "before", "after", "change", "of before", *extra, keys=2)
    moved = [part for part in changes if part.change]
    rows = [(part.key, [part]) for part in moved[:SHOWN]]
    if len(moved) > SHOWN:
        rows.append((("others", f"{len(moved) - SHOWN} parts"), moved[SHOWN:]))
    for key, parts in [*rows, (("all", ""), list(changes))]:
        sums = [float(sum(getattr(p, name) for p in parts)) for name in
                ("before", "after", "change", "work", "price")]  # fmt: skip
        cells = [words(sums[0]), words(sums[1]), _signed(sums[2], words), f"{sums[2] / whole:+.2%}"]
        more = [_signed(value, words) for value in sums[3:]] if priced else []
        table.add_row(*key, *cells, *more)
    return table


def _signed(value: float, words: Callable[[float], str]) -> str:
    return words(value) if value < 0 else f"+{words(value)}"
