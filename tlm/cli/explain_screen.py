"""What ``explain`` prints."""

from __future__ import annotations

import shlex

from rich.text import Text
from tlm_analysis.findings.critical_path import CriticalPath
from tlm_analysis.replay import TRUSTED_ERROR

from tlm.cli.explanation import Explanation
from tlm.cli.screen import stalls
from tlm.cli.tables import ScreenTable, console
from tlm.quantity_text import nbytes_text, time_text
from tlm.studies.relief import NEAREST_KEYS

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


def show(explanation: Explanation) -> None:
    """Print an explanation."""
    out = console()
    summary = explanation.run.summary
    makespan = time_text(summary.time.makespan_ps)
    work, chip, unit = summary.workload.name, summary.chip.name, summary.workload.unit
    out.print(Text(f"{work} on {chip}, {makespan} per {unit}: what held it up", style="bold"))
    out.print()
    if explanation.path is None:
        out.print(Text(f"{explanation.partial}; the critical path needs a whole estimate.\n"))
    else:
        out.print(_path(explanation.path))
        out.print()
    out.print(stalls(summary, rows=None, works=None))
    out.print()
    out.print(_what_ifs(explanation))
    out.print()
    out.print(_verdict(explanation))
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


def _what_ifs(explanation: Explanation) -> ScreenTable:
    headers = ["twice as much of", "relief", "time saved", "bound"]
    if explanation.measured:
        headers += ["run again", "in bound", "energy"]
    table = ScreenTable(
        "What relief would gain, every slice on its core", *headers, left=("relief",)
    )
    for estimate in explanation.estimates:
        cells = [
            NAMES[estimate.resource],
            estimate.knob,
            f"{estimate.gain:.1%}",
            f"{estimate.low:.1%} to {estimate.high:.1%}",
        ]
        if explanation.measured:
            gain = explanation.measured[estimate.resource]
            inside = "yes" if estimate.holds(gain) else "NO"
            cells += [f"{gain:.1%}", inside, f"{explanation.energy[estimate.resource]:+.1%}"]
        table.add_row(*cells)
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


def _remedy(explanation: Explanation) -> str:
    """What a user can set: the first relief, or where no keys are that one, the first that is."""
    first = explanation.estimates[0]
    best = next(row for row in explanation.estimates if explanation.settings[row.resource])
    values = explanation.settings[best.resource]
    words = " ".join(f"--set {shlex.quote(value)}" for value in values)
    if best is first:
        return f"Relief: {words}"
    return (
        f"No key does just that; nearest are {NEAREST_KEYS[first.resource]}. Of reliefs that "
        f"can be set, the first is {NAMES[best.resource]}, {best.gain:.1%}: {words}"
    )


def _verdict(explanation: Explanation) -> Text:
    first = explanation.estimates[0]
    text = Text(f"Bottleneck: {NAMES[first.resource]}\n", style="bold")
    text.append(f"{_remedy(explanation)}\n")
    text.append(
        f"The replay behind the estimates misses the run itself by {explanation.replay_error:+.1%}"
    )
    if abs(explanation.replay_error) > TRUSTED_ERROR:
        text.append(": too much for the bounds to hold, use --verify", style="red")
    if explanation.measured:
        good = explanation.confirmed
        words = (
            "confirmed by runs" if good else "NOT confirmed by runs: go by the column `run again`"
        )
        text.append(f"\n{words}", style="green" if good else "red")
    return text
