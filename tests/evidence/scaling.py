"""Section "Strong scaling": one job on 1 to 64 cores, DRAM as it is or growing with the cores.

``python -m tests.evidence.scaling [--only JOB ...] [--cores N ...] [--memory M ...] [--page]`` runs
what is asked, updates ``docs/studies/scaling.csv``, and writes section and figure from all of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from tlm_analysis.plots.fabric import Curve, CurvePanel, panel_figure, write_png

from tests.evidence.page import (
    DOCS,
    STUDIES,
    read_csv,
    replace_section,
    simulate,
    update_csv,
)
from tlm.validation.markdown import table

RESULTS = DOCS / "studies" / "scaling.csv"
FIGURE = DOCS / "figures" / "scaling.png"
JOBS = (
    "cifar-vgg8",
    "s-resnet18[B=2,T=2]:bernoulli(0.15)",
    "s-resnet18[B=4,T=4]:bernoulli(0.15)",
)
CORES = (1, 2, 4, 8, 16, 20, 32, 64)
MEMORIES = ("4 channels", "a channel a core")
SATURATED = 0.8  # of its time a resource is busy: more cores cannot help

Row = dict[str, str]


def mesh_of(cores: int) -> tuple[int, int]:
    """Columns and rows of the smallest mesh for some cores that is nearly square."""
    rows = max(side for side in range(1, cores + 1) if side * side <= cores)
    return -(-cores // rows), rows


def overrides(cores: int, memory: str) -> list[str]:
    """The preset with some cores on a mesh of their own, and 4 channels or one at every core."""
    columns, rows = mesh_of(cores)
    found = [f"cores={cores}", f"mesh.columns={columns}", f"mesh.rows={rows}"]
    if memory == "a channel a core":
        found += [f"dram.channels={cores}", f"dram.nodes={list(range(cores))}"]
    return found


def measure(job: str, cores: int, memory: str) -> Row:
    """One run: time, how busy the engines are, and what the engines wait for most."""
    summary, _ = simulate(job, overrides=overrides(cores, memory))
    engines, busiest = summary.engines.values(), summary.busiest[0]
    stalls = {
        reason: sum(engine.shares[reason] for engine in engines) / 3
        for reason in ("dependency", "not_begun", "dram", "noc", "writeback", "idle")
    }
    stalls["dependency"] += stalls.pop("not_begun")
    reason = max(stalls, key=lambda name: stalls[name])
    return {
        "job": job,
        "memory": memory,
        "cores": str(cores),
        "time_us": f"{summary.time.makespan_ps / 1e6:.1f}",
        "computing": f"{sum(engine.shares['compute'] for engine in engines) / 3:.4f}",
        "busiest_engine": f"{max(engine.busiest for engine in engines):.4f}",
        "cores_used": str(max(split.cores for split in summary.chip.splits.values())),
        "waits_for": reason,
        "waits": f"{stalls[reason]:.4f}",
        "resource": busiest.resource,
        "use": f"{busiest.use:.4f}",
    }


def stops(row: Row) -> str:
    """What keeps a run from being faster with more cores, in a few words."""
    if float(row["use"]) >= SATURATED:
        return f"{row['resource']} is full"
    if int(row["cores_used"]) < int(row["cores"]):
        return f"layers fill {row['cores_used']} cores"
    return {
        "dependency": "phases and cores wait for each other's results",
        "dram": "latency of DRAM",
        "noc": "latency of the network",
        "writeback": "writes leave too slowly",
        "idle": "engines of other phases stand idle",
    }[row["waits_for"]]


def section(rows: list[Row]) -> str:
    """Tables and figure of everything measured."""
    parts = [
        "## Strong scaling\n",
        "The same iteration on `neuromc-20` with 1 to 64 cores on a mesh of their own, layer by "
        "layer. DRAM: the preset's 4 channels at the middles of the edges, or one channel at every "
        "core. Computing: share of all engines' time. The ImageNet network has drawn activity and "
        "is reduced to a few samples and steps: it offers a quarter (B=4, T=4) or a "
        "sixteenth (B=2, T=2) of the work that the full job (B=16, T=4) would spread, while "
        "weights, their gradients and their update stay the same.\n",
    ]
    head = ("DRAM", "cores", "time, us", "speed-up", "efficiency", "computing",
            "busiest engine", "waits most for", "busiest resource", "what stops it")  # fmt: skip
    for job in dict.fromkeys(row["job"] for row in rows):
        mine = [row for row in rows if row["job"] == job]
        parts += [f"### `{job}`\n", table(head, _lines(mine))]
    return "\n".join([*parts, f"![scaling](figures/{FIGURE.name})\n"])


def _lines(rows: list[Row]) -> Iterator[tuple[str, ...]]:
    for row, speed_up in _speed_ups(rows):
        yield (
            row["memory"],
            row["cores"],
            f"{float(row['time_us']):,.0f}",
            f"{speed_up:.2f}",
            f"{speed_up / int(row['cores']):.0%}",
            f"{float(row['computing']):.0%}",
            f"{float(row['busiest_engine']):.0%}",
            f"{row['waits_for']} {float(row['waits']):.0%}",
            f"{row['resource']} {float(row['use']):.0%}",
            stops(row) if int(row["cores"]) > 1 else "-",
        )


def _speed_ups(rows: list[Row]) -> Iterator[tuple[Row, float]]:
    """Rows by memory and cores, each with its speed-up over one core with the same memory."""
    ordered = sorted(rows, key=lambda row: (MEMORIES.index(row["memory"]), int(row["cores"])))
    alone = {row["memory"]: row for row in ordered if row["cores"] == "1"}
    for row in ordered:
        if row["memory"] in alone:
            yield row, float(alone[row["memory"]]["time_us"]) / float(row["time_us"])


def figure(rows: list[Row]) -> None:
    """Speed-up against cores, a panel a job, with the line of perfect scaling."""
    panels = []
    for job in dict.fromkeys(row["job"] for row in rows):
        pairs = list(_speed_ups([row for row in rows if row["job"] == job]))
        curves = []
        for group, memory in enumerate(MEMORIES):
            points = [(int(r["cores"]), s) for r, s in pairs if r["memory"] == memory]
            if points:
                x, y = zip(*points, strict=True)
                curves.append(Curve(memory, x, y, group=group))
        panels.append(CurvePanel(job, curves, "cores", "speed-up", diagonal=True))
    write_png(panel_figure(panels, columns=2), FIGURE)


def main(arguments: list[str]) -> None:
    """Measure some or all points and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=JOBS, metavar="JOB")
    parser.add_argument("--cores", nargs="+", type=int, default=CORES)
    parser.add_argument("--memory", nargs="+", choices=MEMORIES, default=MEMORIES)
    parser.add_argument("--page", action="store_true", help="write the page from what is measured")
    asked: Any = parser.parse_args(arguments)
    for job in [] if asked.page else asked.only:
        for cores in asked.cores:
            for memory in asked.memory:
                update_csv(RESULTS, ("job", "memory", "cores"), [measure(job, cores, memory)])
    rows = read_csv(RESULTS)
    replace_section(STUDIES, "scaling", section(rows))
    figure(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
