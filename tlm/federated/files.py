"""The files of a federated run: ``summary.json`` and ``rounds.csv``, written and read."""

from __future__ import annotations

from dataclasses import asdict, astuple, fields
from pathlib import Path

from pydantic import TypeAdapter

from tlm.errors import TraceError
from tlm.federated.results import SCHEMA, FederatedSummary, WorkerRound
from tlm.files import parse_json, read_regular
from tlm.running.folder import csv_text, write_atomic, write_json
from tlm.trace.summary_file import FILE_NAME as SUMMARY_NAME
from tlm.trace.summary_file import checked_summary, summary_content

ROUNDS_NAME = "rounds.csv"
_REMEDY = "run `tlm federated` again"
_MAX_BYTES = 64 << 20  # more than the figures of the most workers and rounds take


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


def is_federated(folder: Path) -> bool:
    """Whether a federated run left ``folder``, as far as its summary tells."""
    try:
        content = parse_json(read_regular(folder / SUMMARY_NAME, _MAX_BYTES))
    except ValueError:
        return False
    return isinstance(content, dict) and content.get("schema") == SCHEMA


def read_federated_summary(folder: Path) -> FederatedSummary:
    """The summary of the finished federated run in ``folder``.

    Raises:
        TraceError: there is none, or it is not what a run writes; the text names the first fault.
    """
    content = summary_content(folder, SCHEMA, _MAX_BYTES, "a federated run", _REMEDY)
    return checked_summary(TypeAdapter(FederatedSummary), content, folder, _REMEDY)
