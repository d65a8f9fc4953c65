"""Simulated runs on the three chips of SpinAPS, with early stop and without, beside the 4x.

``python -m tests.evidence.spinaps_runs`` runs both tasks on all of them, updates
``docs/studies/spinaps-runs.csv``, and writes the section of docs/spinaps-hardware.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast, get_args

from tests.evidence.page import DOCS, read_csv, replace_section, update_csv
from tests.evidence.spinaps_ratio import PUBLISHED, twins
from tlm.config import load_chip
from tlm.hardware.area import chip_area
from tlm.running.runner import RunResult, run_job
from tlm.validation.markdown import table
from tlm.workload.glm.neuron import GLMNeuron
from tlm.workload.inference import Stop

PAGE = DOCS / "spinaps-hardware.md"
RESULTS = DOCS / "studies" / "spinaps-runs.csv"
KEYS = ("job", "chip", "stop", "batch")
JOBS = ("spinaps-mnist", "spinaps-motions")
CHIPS = {
    "spinaps": "STT-RAM",
    "spinaps-aggressive": "STT-RAM, smaller cell",
    "spinaps-sram": "SRAM",
}
ALL, EARLY = get_args(Stop)

Row = dict[str, str]


def measure(job: str, chip: str, stop: Stop, batch: int | None) -> Row:
    """A run: time and energy of the core while it works, and of the whole chip."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        result = run_job(job, chip=chip, stop=stop, batch=batch, out=out, trace="off")
    assert result.ok, (job, chip, stop, batch, result.summary.broken)
    summary, samples = result.summary, result.summary.workload.batch
    steps = summary.workload.steps_run or [summary.workload.steps] * samples
    core_ps = summary.time.phases["fp"].computing_ps
    core_pj = summary.energy.by_component_pj["fp"]
    core_pj += result.chip.energy.leakage["core"].power_w * core_ps
    operations = summary.synaptic.operations // _words(result)
    area_mm2 = sum(row.total_mm2 for row in chip_area(load_chip(chip)) if row.component == "core")
    return {
        "job": job,
        "chip": chip,
        "stop": stop,
        "batch": str(samples),
        "steps": f"{sum(steps) / samples:.2f}",
        "core_us": f"{core_ps / samples / 1e6:.3f}",
        "core_nj": f"{core_pj / samples / 1e3:.2f}",
        "gsops_per_w_mm2": f"{1e3 * operations / core_pj / area_mm2:.1f}",
        "chip_us": f"{summary.time.makespan_ps / samples / 1e6:.3f}",
        "chip_nj": f"{summary.energy.total_pj / samples / 1e3:.1f}",
    }


def _words(result: RunResult) -> int:
    """Weights of a synapse: the closed form counts an operation for all of them together."""
    neuron = result.workload.layers[0].neuron
    assert isinstance(neuron, GLMNeuron)
    return neuron.functions


def runs_section(rows: list[Row]) -> str:
    """What early stop saves, and STT-RAM over SRAM by run."""
    by_key = {tuple(row[key] for key in KEYS[:3]): row for row in rows if row["batch"] != "1"}
    one = {tuple(row[key] for key in KEYS[:3]): row for row in rows if row["batch"] == "1"}
    head = ("task", "cells", "steps", "us", "nJ", "steps, early", "us, early", "nJ, early", "saved")
    lines = list(_stops(by_key, ("core_us", "core_nj")))
    first = list(_stops(one, ("chip_us", "chip_nj")))
    means = (
        tuple(f"{float(by_key[job, 'spinaps', stop]['chip_nj']):.0f}" for stop in (ALL, EARLY))
        for job in JOBS
    )
    (digit, early_digit), (motion, early_motion) = means
    return f"""Time and energy of the core for a sample, in the mean over a recording: rows, adds,
GLM unit, and leakage for as long as the core works. All steps beside `--stop {EARLY}`:

{table(head, lines)}
The same of the whole chip for the first sample (`--batch 1`): with a channel of DRAM, its network,
and all that leaks while the core waits for inputs. Its DRAM is an assumption of ours, and outweighs
the core. A whole batch runs sample after sample (`mapping.group: 1`). In the mean over a recording
the chip with STT-RAM takes {early_digit} nJ for a digit that stops early and {digit} for all steps,
for a motion {early_motion} and {motion}: inputs of a step are fetched when the step before is
decided, and what leaks while the core waits may outweigh the steps that are saved.

{table(head, first)}
GSOPS/W/mm2 of the core, where an operation is a spike at an output whatever the weights of the
synapse (the run's own count takes each of the eight weights for one):

{table(("task", "stop", *CHIPS.values(), "STT-RAM / SRAM", "smaller cell / SRAM"), _ratios(by_key))}
The closed form has {twins().ratio:.2f} and {twins("spinaps-aggressive").ratio:.2f} for a mean step
of MNIST without a pause, the paper {PUBLISHED:g}: a run that goes from step to step without waiting
does not reach it either."""


def _stops(rows: dict[tuple[str, ...], Row], keys: tuple[str, str]) -> Iterator[tuple[str, ...]]:
    for job in JOBS:
        for chip, label in CHIPS.items():
            whole, early = (rows[job, chip, stop] for stop in (ALL, EARLY))
            cells = (each[key] for each in (whole, early) for key in ("steps", *keys))
            saved = 1 - float(early[keys[1]]) / float(whole[keys[1]])
            yield job.removeprefix("spinaps-"), label, *cells, f"{saved:.0%}"


def _ratios(rows: dict[tuple[str, ...], Row]) -> Iterator[tuple[str, ...]]:
    for job in JOBS:
        for stop in (ALL, EARLY):
            stt, small, sram = (float(rows[job, chip, stop]["gsops_per_w_mm2"]) for chip in CHIPS)
            figures = (f"{each:.0f}" for each in (stt, small, sram))
            ratios = (f"{stt / sram:.2f}", f"{small / sram:.2f}")
            yield job.removeprefix("spinaps-"), stop, *figures, *ratios


def main() -> None:
    """Run everything and write the section."""
    ways = [(job, chip, stop, n) for job in JOBS for chip in CHIPS for stop in (ALL, EARLY)
            for n in (None, 1)]  # fmt: skip
    rows = [measure(job, chip, cast(Stop, stop), batch) for job, chip, stop, batch in ways]
    update_csv(RESULTS, KEYS, rows)
    replace_section(PAGE, "runs", runs_section(read_csv(RESULTS)))


if __name__ == "__main__":
    main()
