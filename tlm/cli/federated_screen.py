"""The screen of a federated run: the answer, rounds, workers, and who held them up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from tlm.cli.federated_remark import remark
from tlm.cli.tables import Hanging, ScreenTable
from tlm.quantity_text import energy_text, nbytes_text, time_text

if TYPE_CHECKING:
    from tlm.federated import FederatedResult
    from tlm.federated.results import FederatedSummary, HoldUp, WorkerRound

MOST_ROWS = 40  # of workers and rounds; beyond, a row sums up all rounds of a worker
_COMPRESSED = {"none": "FP32", "fp16": "FP16"}
LEAST_EXCESS = 0.01  # of a round: below, nobody in particular held it up


def screen(result: FederatedResult) -> Group:
    """The summary as renderables, for a screen of any width."""
    summary = result.summary
    parts: list[Any] = [_verdict(summary), _rounds(summary), Text(), _workers(summary), Text()]
    parts += [Hanging(line) for line in reasons(summary)]
    return Group(*parts, _footer(result))


def _verdict(summary: FederatedSummary) -> Text:
    recording, plan, rounds = summary.recording, summary.plan, len(summary.rounds)
    text = Text()
    if summary.ok:
        text.append(f"OK  {summary.checks} checks hold", style="bold green")
    else:
        text.append("INVALID  do not use these figures", style="bold red")
        for name, detail in summary.broken.items():
            text.append(f"\n    {name}: {detail}", style="red")
    counts = Counter(member.chip for member in summary.members)
    chips = ", ".join(f"{count} x {chip}" for chip, count in counts.items())
    counted = "1 round" if rounds == 1 else f"{rounds} rounds"
    compression = _COMPRESSED.get(recording.compression, recording.compression)
    text.append(
        f"\n{recording.name}: {recording.network}, {recording.split}, {plan['protocol']}, "
        f"uploads {compression}\n{chips} in a {plan['network']['topology']}, {counted}, "
        "modelled, not measured\n"
    )
    text.append(
        f"{time_text(summary.time_ps)} and {energy_text(summary.energy_pj)} in all;  "
        f"{time_text(summary.time_ps / rounds)} and {energy_text(summary.energy_pj / rounds)} per "
        f"round\n{_accuracy(summary)}\n",
        style="bold",
    )
    return text


def _accuracy(summary: FederatedSummary) -> str:
    """What training gained, and at what price."""
    known = [item for item in summary.rounds if item.accuracy is not None]
    if not known or summary.initial_accuracy is None:
        return f"no accuracy: {summary.unrecorded}"
    last = known[-1]
    gain = 100 * ((last.accuracy or 0.0) - summary.initial_accuracy)
    text = (
        f"accuracy {last.accuracy:.1%} after round {last.number}, {summary.initial_accuracy:.1%} "
        f"before;  {gain / (last.total_pj / 1e12):+.3g} points per J, "
        f"{gain / (last.end_ps / 1e12):+.3g} per s"
    )
    return f"{text}\nafter that unknown: {summary.unrecorded}" if summary.unrecorded else text


def _rounds(summary: FederatedSummary) -> ScreenTable:
    table = ScreenTable(
        "Rounds", "round", "took", "ended at", "answered", "energy", "energy so far", "accuracy"
    )
    for item in summary.rounds:
        table.add_row(
            str(item.number),
            time_text(item.end_ps - item.begin_ps),
            time_text(item.end_ps),
            f"{len(item.answered)} of {len(summary.members)}",
            energy_text(item.energy_pj),
            energy_text(item.total_pj),
            "-" if item.accuracy is None else f"{item.accuracy:.1%}",
        )
    return table


def _workers(summary: FederatedSummary) -> ScreenTable:
    """Every worker in every round, or all rounds of a worker if these are too many."""
    each = len(summary.workers) <= MOST_ROWS
    odd = any(row.resent_nbytes or row.dropped or row.late for row in summary.workers)
    table = ScreenTable(
        "Workers" if each else "Workers, all rounds together",
        *("round", "worker", "computing", "network", "waiting", "training", "idle", "sending"),
        *("up", "down", *(("sent again", "note") if odd else ())),
        keys=2,
        left=("note",),
    )
    groups: dict[tuple[str, int], list[WorkerRound]] = {}
    for row in summary.workers:
        groups.setdefault((str(row.round) if each else "all", row.worker), []).append(row)
    for (number, worker), rows in groups.items():
        times = (
            sum(row.computing_ps for row in rows),
            sum(row.network_ps for row in rows),
            sum(row.waiting_ps for row in rows),
        )
        energies = (
            sum(row.training_pj + row.adding_pj for row in rows),
            sum(row.idle_pj for row in rows),
            sum(row.network_pj for row in rows),
        )
        nbytes = (
            sum(row.upload_nbytes for row in rows),
            sum(row.download_nbytes for row in rows),
        )
        cells = [*map(time_text, times), *map(energy_text, energies), *map(nbytes_text, nbytes)]
        if odd:
            cells += [nbytes_text(sum(row.resent_nbytes for row in rows)), _note(rows)]
        table.add_row(number, str(worker), *cells)
    return table


def _note(rows: list[WorkerRound]) -> str:
    dropped, late = sum(row.dropped for row in rows), sum(row.late for row in rows)
    notes = [("dropped out", dropped), ("late", late)]
    if len(rows) == 1:
        return ", ".join(name for name, count in notes if count)
    return ", ".join(f"{name} {count} x" for name, count in notes if count)


def reasons(summary: FederatedSummary) -> Iterator[str]:
    """Who held the rounds up, each worker and cause once."""
    groups: dict[tuple[int, str], list[HoldUp]] = {}
    spans = {item.number: item.end_ps - item.begin_ps for item in summary.rounds}
    for entry in summary.hold_ups:
        if entry.cause == "deadline" or entry.excess_ps >= LEAST_EXCESS * spans[entry.round]:
            groups.setdefault((entry.worker, entry.cause), []).append(entry)
    if not groups and len(summary.members) > 1:
        yield "Nobody in particular held the others up."
    for (worker, cause), entries in groups.items():
        numbers = ", ".join(str(entry.round) for entry in entries)
        rounds = f"round{'s' if len(entries) > 1 else ''} {numbers}"
        if cause == "deadline":
            yield f"The deadline ended {rounds}: {_missing(summary, entries)} had not answered."
            continue
        excess = time_text(max(entry.excess_ps for entry in entries))
        said = remark(summary, worker, cause, (entry.round for entry in entries))
        yield (
            f"worker{worker} held up {rounds}: up to {excess} more of {cause} than the median of "
            f"the others{said}."
        )


def _missing(summary: FederatedSummary, entries: list[HoldUp]) -> str:
    """Who had not answered when rounds were closed."""
    rounds = {entry.round for entry in entries}
    missing = dict.fromkeys(
        f"worker{row.worker}"
        for row in summary.workers
        if row.round in rounds and (row.dropped or row.late)
    )
    return ", ".join(missing)


def _footer(result: FederatedResult) -> Text:
    cost = result.cost
    return Text.assemble(
        ("\nRests on ", "bold"),
        "protocol, network and server as assumed or set in the plan (manifest.json); a round is "
        "its recorded iteration, repeated; a chip that waits leaks and does nothing else\n",
        ("Simulated ", "bold"),
        f"{cost.iterations} iterations in {cost.iterations_wall_s:.1f} s, {cost.transfers:,} "
        f"transfers in {cost.total_wall_s - cost.iterations_wall_s:.1f} s; results in "
        f"{result.folder}",
    )
