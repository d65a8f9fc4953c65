"""What ``explain`` prints."""

from __future__ import annotations

import shlex

from rich.text import Text
from tlm_analysis.findings.critical_path import CriticalPath

from tlm.cli.explanation import Explanation
from tlm.cli.screen import stalls
from tlm.cli.tables import Hanging, ScreenTable, console
from tlm.quantity_text import nbytes_text, time_text
from tlm.studies.relief import NEAREST_KEYS
from tlm.studies.relief_gains import ResourceGain

NAMES = {
    "fp": "FP engines",
    "bp": "BP engines",
    "wg": "WG engines",
    "dram": "DRAM",
    "channels": "DRAM channels",
    "nodes": "DRAM at other nodes",
    "noc": "NoC",
    "memory": "core memories",
    "dma": "DMA window",
    "queue": "on the way to a DRAM channel",
    "writeback": "write-back",
    "dependency": "other work",
    "idle": "idle",
}
LEAST_SAVED = 0.0005  # share of time below which a relief is said to save nothing


def show(explanation: Explanation) -> None:
    """Print an explanation."""
    out = console()
    summary = explanation.run.summary
    makespan = time_text(summary.time.makespan_ps)
    work, chip, unit = summary.workload.name, summary.chip.name, summary.workload.unit
    out.print(Text(f"{work} on {chip}, {makespan} per {unit}: what held it up", style="bold"))
    out.print()
    if explanation.path is None:
        out.print(Text(f"{explanation.partial}; the critical path needs that of a whole run.\n"))
    else:
        out.print(_path(explanation.path))
        out.print()
    out.print(stalls(summary, rows=None, works=None))
    out.print()
    if explanation.unopened:
        out.print(Hanging(f"What relief gains is not known: {explanation.unopened}"))
        return
    out.print(_reliefs(explanation.gains))
    out.print()
    out.print(_verdict(explanation.gains))
    if explanation.rereads:
        out.print()
        out.print(_rereads(explanation))


def _path(path: CriticalPath) -> ScreenTable:
    """Shares of the critical path by phase and resource."""
    shares = {name: share for name, share in path.shares.items() if share > 0.0005}
    names = sorted(shares, key=lambda name: -shares[name])
    table = ScreenTable("Critical path, share of time", "phase", *(NAMES[n] for n in names), "all")
    for phase, row in path.shares_by_phase.items():
        cells = [f"{row[name]:.1%}" if name in row else "" for name in names]
        table.add_row(phase.upper(), *cells, f"{sum(row.values()):.1%}")
    table.add_row("all", *(f"{shares[name]:.1%}" for name in names), f"{sum(shares.values()):.1%}")
    return table


def _reliefs(gains: list[ResourceGain]) -> ScreenTable:
    table = ScreenTable(
        "What relief gains, simulated, every slice on its core",
        *("twice as much of", "relief", "program", "time saved", "energy"),
        left=("relief", "program"),
    )
    for gain in gains:
        program = "planned anew" if gain.planned_anew else "the run's"
        shares = (f"{gain.time_saved:.1%}", f"{gain.energy_change:+.1%}")
        table.add_row(NAMES[gain.resource], gain.knob, program, *shares)
    return table


def _rereads(explanation: Explanation) -> ScreenTable:
    """Tensors that are read from DRAM more than once, and why."""
    table = ScreenTable(
        "DRAM bytes read more than once",
        *("tensor", "phase", "layer", "read", "needed", "by cores", "by one core", "because"),
        keys=3,
        prose=("because",),
    )
    for row in explanation.rereads:
        table.add_row(
            *(row.tensor, row.phase.upper(), row.layer),
            *(nbytes_text(row.nbytes), nbytes_text(row.needed)),
            *(f"{row.over_cores:.2f} x", f"{row.over_time:.2f} x"),
            "; ".join(row.causes),
        )
    return table


def _verdict(gains: list[ResourceGain]) -> Text:
    """What gains most, and what a user can set about it."""
    first = gains[0]
    if first.time_saved < LEAST_SAVED:
        return Text("No relief saves time.", style="bold")
    text = Text(f"Bottleneck: {NAMES[first.resource]}\n", style="bold")
    text.append(_remedy(gains))
    return text


def _remedy(gains: list[ResourceGain]) -> str:
    """What ``--set`` takes: for the first relief, or where no keys are that one, the first so."""
    first, best = gains[0], next(gain for gain in gains if gain.settings)
    words = " ".join(f"--set {shlex.quote(value)}" for value in best.settings)
    if best is first:
        return f"Relief: {words}"
    nearest = f"No key does just that; nearest are {NEAREST_KEYS[first.resource]}."
    if best.time_saved < LEAST_SAVED:
        return f"{nearest} Of reliefs that can be set, none saves time."
    return (
        f"{nearest} Of reliefs that can be set, the first is {NAMES[best.resource]}, "
        f"{best.time_saved:.1%}: {words}"
    )
