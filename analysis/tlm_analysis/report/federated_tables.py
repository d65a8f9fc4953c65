"""The tables of a report about a federated run, as rows of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tlm.federated.results import FederatedSummary, WorkerRound
from tlm.quantity_text import energy_text, nbytes_text, time_text
from tlm_analysis.report.tables import ReportTable, Titled

MOST_ROWS = 200  # of workers and rounds; of more, the first


def title(summary: FederatedSummary) -> str:
    """What trained what."""
    chips = ", ".join(dict.fromkeys(member.chip for member in summary.members))
    return f"{summary.recording.name} on {len(summary.members)} x {chips}"


def headline(summary: FederatedSummary) -> ReportTable:
    """(what, figure) of the run in a handful of lines."""
    rounds = len(summary.rounds)
    rows: ReportTable = [
        ("Time", time_text(summary.time_ps)),
        ("Energy", energy_text(summary.energy_pj)),
        ("Time per round", time_text(summary.time_ps / rounds)),
        ("Energy per round", energy_text(summary.energy_pj / rounds)),
    ]
    known = [item for item in summary.rounds if item.accuracy is not None]
    if known and summary.initial_accuracy is not None:
        rows += [
            ("Accuracy before", f"{summary.initial_accuracy:.1%}"),
            (f"Accuracy after round {known[-1].number}", f"{known[-1].accuracy:.1%}"),
        ]
    else:
        rows.append(("Accuracy", f"none: {summary.unrecorded}"))
    sums = {
        "training": sum(row.training_pj for row in summary.workers),
        "leakage outside training": sum(row.idle_pj for row in summary.workers),
        "bits on links": sum(row.network_pj for row in summary.workers),
    }
    rows += [
        (f"Energy for {name}", f"{joules / summary.energy_pj:.1%}") for name, joules in sums.items()
    ]
    return rows


def rounds(summary: FederatedSummary) -> Titled:
    """Every round."""
    rows = [
        (
            str(item.number),
            time_text(item.end_ps - item.begin_ps),
            time_text(item.end_ps),
            f"{len(item.answered)} of {len(summary.members)}",
            f"{item.weight:.1%}",
            energy_text(item.energy_pj),
            energy_text(item.total_pj),
            "-" if item.accuracy is None else f"{item.accuracy:.1%}",
        )
        for item in summary.rounds
    ]
    heads = ("round", "took", "ended at", "answered", "of samples", "energy", "so far", "accuracy")
    return Titled("Rounds", heads, rows)


def workers(summary: FederatedSummary) -> Titled:
    """Every worker in every round."""
    rows = [_worker(row) for row in summary.workers[:MOST_ROWS]]
    heads = (
        *("round", "worker", "training", "averaging", "network", "waiting", "for training"),
        *("idle", "sending", "up", "down", "sent again", "note"),
    )
    hidden = len(summary.workers) - len(rows)
    more = f"; {hidden} more rows stand in rounds.csv" if hidden else ""
    return Titled(f"Workers: times, energies and bytes{more}", heads, rows, 1)


def _worker(row: WorkerRound) -> tuple[str, ...]:
    times = (row.iterating_ps, row.adding_ps, row.network_ps, row.waiting_ps)
    energies = (row.training_pj + row.adding_pj, row.idle_pj, row.network_pj)
    nbytes = (row.upload_nbytes, row.download_nbytes, row.resent_nbytes)
    note = "dropped out" if row.dropped else "late" if row.late else ""
    figures = (*map(time_text, times), *map(energy_text, energies), *map(nbytes_text, nbytes))
    return (str(row.round), str(row.worker), *figures, note)


def hold_ups(summary: FederatedSummary) -> Titled:
    """Who was waited for in each round, and with what."""
    rows = [
        (
            str(entry.round),
            "-" if entry.worker < 0 else f"worker{entry.worker}",
            time_text(entry.excess_ps) if entry.worker >= 0 else "-",
            entry.cause,
        )
        for entry in summary.hold_ups
    ]
    heads = ("round", "worker", "more than the median of others", "with")
    return Titled("Who held rounds up", heads, rows, 1)


def links(summary: FederatedSummary) -> Titled:
    """Every direction of every link."""
    rows = [
        (link.name, nbytes_text(link.wire_nbytes), f"{link.busy_ps / summary.time_ps:.1%}")
        for link in summary.links[:MOST_ROWS]
    ]
    return Titled("Links", ("link", "bytes carried", "busy"), rows)


def plan(summary: FederatedSummary) -> Titled:
    """Every key of the plan."""
    return Titled("The plan, defaults and all", ("key", "is"), list(_flat("", summary.plan)), 1)


def _flat(prefix: str, value: object) -> Iterator[tuple[str, str]]:
    """Dotted keys and values."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else str(key), item)
    else:
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        yield prefix, "as recorded, or none" if value is None else text
