"""Tables of docs/inference.md: every bundled job in training, in inference, and stopped early.

``python -m tests.evidence.inference [--only JOB ...] [--page]`` runs the jobs, updates
``docs/studies/inference.csv``, and writes the tables from the whole file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.evidence.page import DOCS, read_csv, replace_section, update_csv
from tlm.running.runner import run_job
from tlm.trace.summary import Summary
from tlm.validation.markdown import table
from tlm.workload import bundled_names, open_workload
from tlm.workload.inference import Stop
from tlm.workload.model import RunMode

PAGE = DOCS / "inference.md"
RESULTS = DOCS / "studies" / "inference.csv"
EARLY: Stop = "first-spike"
WAYS: tuple[tuple[RunMode, Stop], ...] = (
    ("training", "all-steps"),
    ("inference", "all-steps"),
    ("inference", EARLY),
)

Row = dict[str, str]


def measure(job: str) -> Iterator[Row]:
    """A job in every way that it has: whole batches and, in inference, one sample."""
    trained = open_workload(job)
    for mode, stop in WAYS:
        if stop == EARLY and trained.layers[-1].neuron is None:
            continue
        for batch in sorted({trained.batch, trained.batch if mode == "training" else 1}):
            yield _row(_run(job, mode, batch, stop), stop)


def _run(job: str, mode: RunMode, batch: int, stop: Stop) -> Summary:
    asked = batch if mode == "inference" else None
    with TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        result = run_job(job, out=out, trace="off", mode=mode, batch=asked, stop=stop)
    assert result.ok, (job, mode, batch, stop, result.summary.broken)
    return result.summary


def _row(summary: Summary, stop: Stop) -> Row:
    work, synaptic = summary.workload, summary.synaptic
    steps = work.steps_run or [work.steps] * work.batch
    return {
        "job": work.name,
        "mode": work.mode,
        "stop": stop,
        "batch": str(work.batch),
        "steps": f"{sum(steps) / len(steps):.2f}",
        "sample_us": f"{summary.time.per_sample_ps / 1e6:.3f}",
        "sample_uj": f"{summary.energy.total_pj / work.batch / 1e6:.2f}",
        "operations": str(synaptic.operations),
        "analog_macs": str(synaptic.analog_macs),
        "core_pj": _figure(synaptic.core_pj_per_operation),
        "chip_pj": _figure(synaptic.chip_pj_per_operation),
    }


def _figure(value: float | None) -> str:
    """Three figures, or a dash."""
    return "-" if value is None else f"{value:.3g}"


def modes(rows: list[Row]) -> str:
    """Training beside inference, by the sample."""
    head = ("job", "", "B", "us a sample", "uJ a sample", "million operations a sample",
            "pJ each, cores", "pJ each, chip")  # fmt: skip
    chosen = [row for row in rows if row["stop"] != EARLY]
    lines = [
        (
            *(row["job"], row["mode"], row["batch"], row["sample_us"], row["sample_uj"]),
            f"{int(row['operations']) / int(row['batch']) / 1e6:.3g}",
            *(row["core_pj"], row["chip_pj"]),
        )
        for row in sorted(
            chosen, key=lambda row: (row["job"], row["mode"] != "training", -int(row["batch"]))
        )
    ]
    return table(head, lines)


def early(rows: list[Row]) -> str:
    """Samples that stop, beside all steps layer by layer."""
    whole = {
        (row["job"], row["batch"]): row
        for row in rows
        if (row["mode"], row["stop"]) == ("inference", "all-steps")
    }
    head = ("job", "B", "steps run", "of T", "us a sample", "all steps", "uJ a sample", "all steps")
    lines = []
    stopped = [row for row in rows if row["stop"] == EARLY]
    for row in sorted(stopped, key=lambda row: (row["job"], -int(row["batch"]))):
        other = whole[row["job"], row["batch"]]
        lines.append(
            (
                *(row["job"], row["batch"], row["steps"], f"{float(other['steps']):.0f}"),
                *(row["sample_us"], other["sample_us"], row["sample_uj"], other["sample_uj"]),
            )
        )
    return table(head, lines)


def main(arguments: list[str]) -> None:
    """Measure some or all jobs and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=bundled_names("training"), default=bundled_names("training")
    )
    parser.add_argument("--page", action="store_true", help="write the page from what is measured")
    asked = parser.parse_args(arguments)
    for job in [] if asked.page else asked.only:
        update_csv(RESULTS, ("job", "mode", "stop", "batch"), measure(job))
    rows = read_csv(RESULTS)
    replace_section(PAGE, "modes", modes(rows))
    replace_section(PAGE, "early exit", early(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
