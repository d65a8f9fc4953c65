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
    from tlm.cli.screen import console
    from tlm.errors import ConfigError

    if len(run_dirs) < 2:
        raise ConfigError("compare: expected at least two run folders, got one")
    from tlm_analysis.findings.compare import compare_runs

    found = []
    with steps_bar("compare", len(run_dirs) - 1) as step:
        for other in run_dirs[1:]:
            step(other.name)
            found.append(compare_runs(run_dirs[0], other))
    if as_json:
        typer.echo(json.dumps([_as_json(one) for one in found], indent=1, allow_nan=False))
        return
    for one in found:
        console().print(_screen(one))


def _as_json(found: Any) -> dict[str, Any]:
    return {
        "before": str(found.before.folder),
        "after": str(found.after.folder),
        "values": {key: list(pair) for key, pair in found.values.items()},
        "split_otherwise": list(found.split_otherwise),
        "makespan_ps": [run.summary.time.makespan_ps for run in (found.before, found.after)],
        "time_ps": [
            {
                "phase": one.key[0],
                "resource": one.key[1],
                "before": int(one.before),
                "after": int(one.after),
                "change": int(one.change),
            }
            for one in found.time
        ],
        "total_pj": [run.summary.energy.total_pj for run in (found.before, found.after)],
        "partial_traces": list(found.partial),
        "energy_pj": [
            {
                "component": one.key[0],
                "action": one.key[1],
                "before": float(one.before),
                "after": float(one.after),
                "change": float(one.change),
                "from_work": float(one.work),
                "from_price": float(one.price),
            }
            for one in found.energy
        ],
    }


def _screen(found: Any) -> Group:
    from rich.console import Group
    from rich.text import Text

    before, after = found.before, found.after
    text = Text(f"{after.folder} against {before.folder}\n", style="bold")
    for key, (old, new) in list(found.values.items())[:SHOWN]:
        text.append(f"  {key}: {old or 'none'} -> {new or 'none'}\n")
    if len(found.values) > SHOWN:
        text.append(f"  and {len(found.values) - SHOWN} other chip values\n")
    if found.split_otherwise:
        text.append(f"  layers split otherwise: {', '.join(found.split_otherwise)}\n")
    for note in found.partial:
        text.append(f"  {note}\n")
    if found.partial:
        text.append("  critical paths need whole traces: the time is not taken apart\n")
    times = [run.summary.time.makespan_ps for run in (before, after)]
    energies = [run.summary.energy.total_pj for run in (before, after)]
    return Group(
        text,
        _line("Time", times, time_text),
        _parts("on the critical path", ("phase", "resource"), found.time, times[0], time_text),
        _line("Energy", energies, energy_text),
        _parts("by component", ("component", "action"), found.energy, energies[0], energy_text),
    )


def _line(what: str, values: Sequence[float], words: Callable[[float], str]) -> Text:
    from rich.text import Text

    before, after = values
    change = f"{after / before - 1:+.2%}"
    return Text(f"{what} {words(before)} -> {words(after)}, {change}", style="bold")


def _parts(
    title: str,
    heads: tuple[str, str],
    changes: Sequence[Any],
    whole: float,
    words: Callable[[float], str],
) -> Any:
    """The largest parts of a difference, then the others and the sum."""
    from tlm.cli.screen import plain_table

    priced = heads[0] == "component"
    extra = ("from work", "from price") if priced else ()
    table = plain_table(title, *heads, "before", "after", "change", "of before", *extra)
    table.columns[1].justify = "left"
    moved = [one for one in changes if one.change]
    rows = [(one.key, [one]) for one in moved[:SHOWN]]
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
