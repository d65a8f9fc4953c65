"""report_html: the page from its template."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import tlm.trace
from tlm.config.layers import load_chip
from tlm.errors import TlmError
from tlm.trace import Trace
from tlm.trace.schema import FILE_NAME
from tlm.workload import open_shipped, open_workload
from tlm.workload.inference import as_inference
from tlm_analysis.gpu import baseline
from tlm_analysis.reading.coverage import coverage
from tlm_analysis.reading.run_dir import RunDir, open_run_dir
from tlm_analysis.report import tables
from tlm_analysis.report.figures import figures
from tlm_analysis.report.template import rendered

FIGURES = 10  # at most; for progress
_NETWORKS = {
    "ideal": "an ideal network whose links are never busy",
    "packet": "a packet network with unbounded buffers",
    "router": "a router network with virtual channels and credits",
}


def report_html(
    run_dir: str | Path,
    workload: str | None = None,
    on_step: Callable[[str], None] = lambda name: None,
) -> str:
    """The page about a finished run as HTML; equal runs give equal text.

    Args:
        run_dir: the folder.
        workload: the run's job, for the GPU beside it; by default the shipped one of that name.
            Where there is none, the page says so instead.
        on_step: called with the name of each part before it is made.

    Raises:
        TraceError: the folder lacks a usable summary, manifest or energy table, or its trace is
            damaged. Without a trace, the page has the figures that need none.
    """
    run = open_run_dir(run_dir)
    chip = load_chip(run.folder / "config.resolved.yaml")
    with ExitStack() as at_end:
        trace = _trace(run.folder, at_end)
        drawn = []
        for figure in figures(run, trace, chip.config):
            on_step(figure.title)
            drawn.append(figure)
        context = {
            "figures": drawn,
            "partial": coverage(trace).note if trace else "",
            "level": trace.attrs["level"] if trace else "off",
            "assumed_values": tables.assumed_values(run, chip),
        }
    context |= _texts(run) | _gpu(run, workload)
    return rendered("report.html.j2", context)


def _trace(folder: Path, at_end: ExitStack) -> Trace | None:
    """The run's trace; None where it left none, or one without a row."""
    if not (folder / FILE_NAME).exists():
        return None
    trace = at_end.enter_context(tlm.trace.open(folder))
    return trace if len(trace.activity) else None


def _texts(run: RunDir) -> dict[str, Any]:
    """The parts of the page that are tables and sentences."""
    summary = run.summary
    return {
        "summary": summary,
        "job": summary.workload,
        "chip": summary.chip,
        "network": _NETWORKS.get(summary.chip.noc_model, summary.chip.noc_model),
        "headline": tables.headline(summary),
        "tables": [
            tables.phases(summary),
            tables.busiest(summary),
            tables.bounds(summary),
            tables.dram_classes(summary),
            tables.dram_bounds(summary),
        ],
        "assumed_energy": tables.assumed_energy(run),
        "manifest": run.manifest,
    }


def _job_name(run: RunDir) -> str:
    """What the manifest calls the job: a text from a file, nothing to open or to run."""
    inputs = run.manifest.get("inputs")
    return str(inputs.get("workload")) if isinstance(inputs, dict) else ""


def _gpu(run: RunDir, workload: str | None) -> dict[str, Any]:
    """The GPU's table and conditions, or why there is none."""
    try:
        job = open_workload(workload) if workload else open_shipped(_job_name(run))
    except TlmError as error:
        return {"gpu": None, "gpu_conditions": [], "gpu_missing": str(error)}
    if job.sha256 != run.summary.workload.sha256:
        missing = "the job of that name is not the one this run was of; name its file"
        return {"gpu": None, "gpu_conditions": [], "gpu_missing": missing}
    ran = run.summary.workload
    try:
        step = baseline(as_inference(job, ran.batch) if ran.mode == "inference" else job)
    except TlmError as error:
        return {"gpu": None, "gpu_conditions": [], "gpu_missing": str(error)}
    return {
        "gpu": tables.gpu(run.summary, step),
        "gpu_conditions": step.conditions_beside(ran),
        "gpu_missing": "",
    }
