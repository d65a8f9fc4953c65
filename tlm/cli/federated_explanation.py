"""``explain`` of a federated run: who held each round up, with what, and what relief gains."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Group
from rich.text import Text

from tlm.cli.federated_screen import reasons
from tlm.cli.tables import Hanging, ScreenTable, console
from tlm.quantity_text import time_text

if TYPE_CHECKING:
    from tlm.federated.relief import ReliefGain
    from tlm.federated.results import FederatedSummary, RoundPart, WorkerRound

LEAST_SAVED = 0.0005  # share of time below which a relief is said to save nothing


def explain_federated(run_dir: Path, recording: str | None, as_json: bool) -> None:
    """Print what held a federated run up; raises as ``recorded_federation``."""
    from tlm.cli.progress import steps_bar
    from tlm.federated.relief import relief_gains
    from tlm.federated.repeat import recorded_federation

    with steps_bar("explain", 2) as step:
        step("exchange")
        run = recorded_federation(run_dir, recording)
        step("reliefs")
        gains = relief_gains(run)
    if as_json:
        typer.echo(json.dumps(_figures(run_dir, run.summary, gains), indent=1, allow_nan=False))
    else:
        console().print(_screen(run.summary, gains))


def _figures(run_dir: Path, summary: FederatedSummary, gains: list[ReliefGain]) -> dict[str, Any]:
    """Plain figures, shares 0..1."""
    return {
        "run": str(run_dir),
        "time_ps": summary.time_ps,
        "rounds": [_round_figures(summary, item) for item in summary.rounds],
        "hold_ups": [asdict(entry) for entry in summary.hold_ups],
        "what_if": [asdict(gain) for gain in gains],
    }


def _round_figures(summary: FederatedSummary, item: RoundPart) -> dict[str, Any]:
    row = _last(summary, item)
    return {
        "round": item.number,
        "worker": row and row.worker,
        "shares": _shares(summary, item) if row else {},
        "missing": _missing(summary, item),
    }


def _screen(summary: FederatedSummary, gains: list[ReliefGain]) -> Group:
    recording, plan = summary.recording, summary.plan
    head = (
        f"{recording.name}, {plan['protocol']} of {len(summary.members)} workers in a "
        f"{plan['network']['topology']}, {time_text(summary.time_ps)}: what held it up"
    )
    lines = [Hanging(line) for line in [*reasons(summary), *_drop_outs(summary)]]
    parts: list[Any] = [Text(f"{head}\n", style="bold"), _rounds(summary), Text(), *lines, Text()]
    return Group(*parts, _reliefs(gains), Text(), *map(Hanging, _verdict(gains)))


def _rounds(summary: FederatedSummary) -> ScreenTable:
    """How each round's time divides on the way of the worker that was waited for."""
    anyone = any(_missing(summary, item) for item in summary.rounds)
    table = ScreenTable(
        "Rounds, by the way of the worker that was waited for",
        *("round", "took", "worker", "network", "training", "averaging", "waiting"),
        *(("missing",) if anyone else ()),
        left=("missing",),
    )
    for item in summary.rounds:
        row = _last(summary, item)
        span = time_text(item.end_ps - item.begin_ps)
        missing = ", ".join(f"worker{worker}" for worker in _missing(summary, item))
        if row is None:
            table.add_row(str(item.number), span, "deadline", *4 * ("-",), missing)
            continue
        shares = [f"{share:.1%}" for share in _shares(summary, item).values()]
        rest = (missing,) if anyone else ()
        table.add_row(str(item.number), span, f"worker{row.worker}", *shares, *rest)
    return table


def _last(summary: FederatedSummary, item: RoundPart) -> WorkerRound | None:
    """The worker whose answer closed the round; None if the deadline did."""
    if _missing(summary, item):
        return None
    rows = (row for row in summary.workers if row.round == item.number)
    return next(row for row in rows if row.worker == item.answered[-1])


def _shares(summary: FederatedSummary, item: RoundPart) -> dict[str, float]:
    """Shares of the round's time that its last worker spent with each; they add up to 1."""
    row, span_ps = _last(summary, item), item.end_ps - item.begin_ps
    assert row is not None
    averaging_ps = item.end_ps - item.closed_ps
    return {
        "network": row.network_ps / span_ps,
        "training": row.iterating_ps / span_ps,
        "averaging": averaging_ps / span_ps,
        "waiting": (row.waiting_ps + row.adding_ps - averaging_ps) / span_ps,
    }


def _missing(summary: FederatedSummary, item: RoundPart) -> list[int]:
    """Workers that are not in the mean of a round."""
    return [member.worker for member in summary.members if member.worker not in item.answered]


def _drop_outs(summary: FederatedSummary) -> Iterator[str]:
    """What became of rounds that somebody left."""
    for row in summary.workers:
        if not row.dropped:
            continue
        item, last = summary.rounds[row.round - 1], len(summary.rounds)
        after = "takes part again from the next" if row.round < last else "it was the last"
        yield (
            f"worker{row.worker} dropped out of round {row.round} after {row.trained:.0%} of its "
            f"training: the mean of that round rests on {item.weight:.1%} of all samples, and the "
            f"worker {after}."
        )


def _reliefs(gains: list[ReliefGain]) -> ScreenTable:
    table = ScreenTable(
        "What relief gains, simulated", "relief", "time saved", "energy", "key of the plan",
        left=("key of the plan",),
    )  # fmt: skip
    for gain in gains:
        cells = (f"{gain.time_saved:.1%}", f"{gain.energy_change:+.1%}", gain.keys)
        table.add_row(gain.name, *cells)
    return table


def _verdict(gains: list[ReliefGain]) -> Iterator[str]:
    best = gains[0]
    if best.time_saved < LEAST_SAVED:
        yield "No relief saves time."
        return
    yield f"Most is gained by {best.name}: {best.time_saved:.1%} of the time."
    yield (
        "Iterations of chips are those of the run; the exchange between them was simulated again "
        "for each relief. What holds up one chip: explain one of the folders under iterations/."
    )
