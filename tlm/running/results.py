"""The files that a run's figures are written to, and their digests."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tlm.errors import TraceError
from tlm.hardware.energy import EnergyRow
from tlm.kernel.wait_graph import WaitGraph
from tlm.laws import Check
from tlm.running.folder import csv_text, write_atomic, write_json
from tlm.running.manifest import FILE_NAME as MANIFEST_NAME
from tlm.running.partial import FILE_NAME as PARTIAL_NAME
from tlm.running.partial import PartialSummary
from tlm.running.stats import stats_rows
from tlm.trace import energy_csv
from tlm.trace.summary import Summary
from tlm.trace.summary_file import FILE_NAME as SUMMARY_NAME
from tlm.trace.summary_file import as_json

WAITS_NAME = "waits.csv"
_BLOCK = 1 << 20


def write_results(
    folder: Path, summary: Summary, rows: list[EnergyRow], checks: list[Check]
) -> None:
    """Write ``energy.csv``, ``stats.csv`` and, last, ``summary.json``.

    Raises:
        TraceError: a file cannot be written, or a figure is no number.
    """
    energy = ([getattr(row, column) for column in energy_csv.COLUMNS] for row in rows)
    write_atomic(folder / energy_csv.FILE_NAME, csv_text(list(energy_csv.COLUMNS), energy))
    write_atomic(
        folder / "stats.csv",
        csv_text(
            ["component", "instance", "phase", "layer", "metric", "value", "unit"],
            stats_rows(summary, checks),
        ),
    )
    _write_figures(folder / SUMMARY_NAME, as_json(summary))


def write_partial(folder: Path, partial: PartialSummary) -> None:
    """Write what is known of a run that was stopped."""
    _write_figures(folder / PARTIAL_NAME, asdict(partial))


def write_waits(folder: Path, graph: WaitGraph) -> None:
    """Write the whole wait-for graph of a run that got stuck."""
    edges = ((waiter, there) for waiter, awaited in graph.edges.items() for there in awaited)
    write_atomic(folder / WAITS_NAME, csv_text(["waits", "for"], edges))


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a run but its manifest, by name."""
    return {
        path.name: file_digest(path)
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != MANIFEST_NAME and not path.name.startswith(".")
    }


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _write_figures(path: Path, figures: dict[str, Any]) -> None:
    try:
        write_json(path, figures)
    except ValueError as error:
        raise TraceError(f"{path}: a figure of the summary is no number") from error
