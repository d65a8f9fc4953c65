"""Section "Pipelining": every bundled job layer by layer and pipelined, with the reason of losses.

``python -m tests.evidence.pipelining [--only JOB ...] [--page]`` runs the jobs, updates
``docs/studies/pipelining.csv``, and writes section and figure from the whole file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from math import prod

from tests.evidence.page import (
    DOCS,
    STUDIES,
    read_csv,
    replace_section,
    simulate,
    update_csv,
)
from tlm.trace.summary import EngineTime, Summary
from tlm.validation.markdown import table
from tlm.workload import bundled_names, open_workload

RESULTS = DOCS / "studies" / "pipelining.csv"
VARIANTS: dict[str, tuple[str, ...]] = {
    "layerwise": ("mapping.schedule=layerwise",),
    "pipelined": ("mapping.schedule=pipelined",),
    "pipelined, 4 samples a group": ("mapping.schedule=pipelined", "mapping.group=4"),
    "pipelined, placed": (
        *("mapping.schedule=pipelined", "mapping.split=placed", "mapping.in_flight=8"),
    ),
    "wavefront": ("mapping.schedule=wavefront",),
}
GROWN = 1.05  # more than 5 % more of something counts as a reason

Row = dict[str, str]


def measure(job: str) -> Iterator[Row]:
    """All variants of a job; with batch normalisation, its statistics are frozen."""
    norm = any(layer.norm is not None for layer in open_workload(job).layers)
    extra = ("mapping.batch_norm=frozen",) if norm else ()
    for variant, overrides in VARIANTS.items():
        summary, _ = simulate(job, overrides=[*overrides, *extra])
        engines = summary.engines.values()
        phases = [phase for layer in summary.work.values() for phase in layer.values()]
        yield {
            "job": job,
            "batch_norm": "frozen" if norm else "-",
            "variant": variant,
            "time_us": f"{summary.time.makespan_ps / 1e6:.1f}",
            "energy_uj": f"{summary.energy.total_pj / 1e6:.0f}",
            "dram_kb": f"{summary.dram.nbytes / 1e3:.0f}",
            "cycles": str(sum(phase.cycles for phase in phases)),
            "busiest_engine": f"{max(engine.busiest for engine in engines):.4f}",
            "dependency": f"{sum(map(waiting, engines)) / 3:.4f}",
            "samples": str(_samples(job, summary)),
        }


def waiting(engine: EngineTime) -> float:
    """Share of its time that a kind of engine waits for results, before its phases or in them."""
    return engine.shares["not_begun"] + engine.shares["dependency"]


def _samples(job: str, summary: Summary) -> int:
    """Samples that a core sees one after the other where samples are cut most."""
    cut = max(split.batch for split in summary.chip.splits.values())
    return -(-open_workload(job).batch // cut)


def reason(row: Row, base: Row) -> str:
    """Why a schedule is slower than layer by layer: what it has more of, the largest first."""
    grown = {
        name: float(row[key]) / float(base[key])
        for key, name in (("dram_kb", "DRAM bytes"), ("cycles", "engine cycles"))
    }
    found = [
        f"{name} x{ratio:.2f}"
        for name, ratio in sorted(grown.items(), key=lambda one: -one[1])
        if ratio > GROWN
    ]
    if row["samples"] == "1":
        found.append("one sample a core, nothing to overlap")
    if float(row["dependency"]) > float(base["dependency"]) + 0.02:
        found.append(f"waits for results {float(row['dependency']):.0%} of the time")
    return ", ".join(found) or "filling and draining"


def section(rows: list[Row]) -> str:
    """One table of everything measured, losses explained."""
    head = ("job", "BN", "schedule", "time, us", "speed-up", "energy", "DRAM", "engine cycles",
            "busiest engine", "where it loses")  # fmt: skip
    base = {row["job"]: row for row in rows if row["variant"] == "layerwise"}
    lines = []
    gains = []
    for row in sorted(rows, key=lambda r: (r["job"], list(VARIANTS).index(r["variant"]))):
        alone = base[row["job"]]
        speed_up = float(alone["time_us"]) / float(row["time_us"])
        if row is not alone:
            gains.append(speed_up)
        ratios = [float(row[k]) / float(alone[k]) for k in ("energy_uj", "dram_kb", "cycles")]
        lines.append(
            (
                *(row["job"], row["batch_norm"], row["variant"], f"{float(row['time_us']):,.0f}"),
                f"{speed_up:.2f}",
                *(f"x{ratio:.2f}" for ratio in ratios),
                f"{float(row['busiest_engine']):.0%}",
                reason(row, alone) if speed_up < 1 else "-",
            )
        )
    mean = prod(gains) ** (1 / max(1, len(gains)))
    return "\n".join(
        [
            "## Pipelining\n",
            "Every bundled job on `neuromc-20` (last recorded iteration): layer by layer, FP of a "
            "sample beside BP and WG of the one before (at most two groups on the chip; `placed`: "
            "layers on cores of their own, at most eight), and FP as a wavefront over time steps. "
            "Batch normalisation by the statistics of the mini-batch forbids all but the first, so "
            "it is frozen here. Energy, DRAM bytes and engine cycles are relative to layer by "
            f"layer. Geometric mean of the speed-ups of all other schedules: {mean:.2f}.\n",
            table(head, lines),
        ]
    )


def main(arguments: list[str]) -> None:
    """Measure some or all jobs and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=bundled_names("training"), default=bundled_names("training")
    )
    parser.add_argument("--page", action="store_true", help="write the page from what is measured")
    asked = parser.parse_args(arguments)
    for job in [] if asked.page else asked.only:
        update_csv(RESULTS, ("job", "variant"), measure(job))
    replace_section(STUDIES, "pipelining", section(read_csv(RESULTS)))


if __name__ == "__main__":
    main(sys.argv[1:])
