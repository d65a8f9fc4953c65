"""What ``explain`` prints."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from tlm.cli.explain import Explanation
from tlm.cli.screen import console, plain_table
from tlm.quantity_text import time_text

NAMES = {
    "fp": "FP engines",
    "bp": "BP engines",
    "wg": "WG engines",
    "dram": "DRAM",
    "noc": "NoC",
    "memory": "core memories",
    "dma": "DMA window",
    "queue": "on the way to a DRAM channel",
    "writeback": "write-back",
    "dependency": "other work",
    "idle": "idle",
}


def show(found: Explanation) -> None:
    """Print an explanation."""
    out = console()
    summary = found.run.summary
    makespan = time_text(summary["time"]["makespan_ps"])
    work, chip = summary["workload"]["name"], summary["chip"]["name"]
    out.print(Text(f"{work} on {chip}, {makespan} per iteration: what held it up", style="bold"))
    out.print()
    if found.path is None:
        out.print(Text(f"{found.partial}; the critical path needs a whole one.\n"))
    else:
        out.print(_path(found.path))
    out.print(_what_ifs(found))
    out.print(_verdict(found))


def _path(path: Any) -> Table:
    """Shares of the critical path by phase and resource."""
    shares = {name: share for name, share in path.shares.items() if share > 0.0005}
    names = sorted(shares, key=lambda name: -shares[name])
    table = plain_table("Critical path, share of time", "phase", *(NAMES[n] for n in names), "all")
    for phase, row in path.shares_by_phase.items():
        cells = [f"{row[name]:.1%}" if name in row else "" for name in names]
        table.add_row(phase.upper(), *cells, f"{sum(row.values()):.1%}")
    table.add_row("all", *(f"{shares[name]:.1%}" for name in names), f"{sum(shares.values()):.1%}")
    return table


def _what_ifs(found: Explanation) -> Table:
    headers = ["twice as much of", "relief", "time saved", "bound"]
    if found.measured:
        headers += ["run again", "in bound", "energy"]
    table = plain_table("What relief would gain, every slice on its core", *headers)
    table.columns[1].justify = "left"
    for one in found.estimates:
        cells = [
            NAMES[one.resource],
            one.knob,
            f"{one.gain:.1%}",
            f"{one.low:.1%} to {one.high:.1%}",
        ]
        if found.measured:
            gain = found.measured[one.resource]
            inside = "yes" if one.holds(gain) else "NO"
            cells += [f"{gain:.1%}", inside, f"{found.energy[one.resource]:+.1%}"]
        table.add_row(*cells)
    return table


def _verdict(found: Explanation) -> Text:
    from tlm_analysis.replay import TRUSTED_ERROR

    first = found.estimates[0]
    text = Text(f"Bottleneck: {NAMES[first.resource]} ({first.knob})\n", style="bold")
    text.append(
        f"The replay behind the estimates misses the run itself by {found.replay_error:+.1%}"
    )
    if abs(found.replay_error) > TRUSTED_ERROR:
        text.append(": too much for the bounds to hold, use --verify", style="red")
    if found.measured:
        good = found.confirmed
        words = (
            "confirmed by runs" if good else "NOT confirmed by runs: go by the column `run again`"
        )
        text.append(f"\n{words}", style="green" if good else "red")
    return text
