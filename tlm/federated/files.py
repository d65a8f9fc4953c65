"""The files of a federated run: ``summary.json`` and ``rounds.csv``."""

from __future__ import annotations

from dataclasses import asdict, astuple, fields
from pathlib import Path

from tlm.errors import TraceError
from tlm.federated.results import FederatedSummary, WorkerRound
from tlm.running.folder import csv_text, write_atomic, write_json

SUMMARY_NAME = "summary.json"
ROUNDS_NAME = "rounds.csv"


def write_results(folder: Path, summary: FederatedSummary) -> None:
    """Write ``rounds.csv``, a row for each worker and round, and, last, ``summary.json``.

    Raises:
        TraceError: a file cannot be written, or a figure is no number.
    """
    header = [field.name for field in fields(WorkerRound)]
    write_atomic(folder / ROUNDS_NAME, csv_text(header, map(astuple, summary.workers)))
    path = folder / SUMMARY_NAME
    try:
        write_json(path, asdict(summary))
    except ValueError as error:
        raise TraceError(f"{path}: a figure of the summary is no number") from error
