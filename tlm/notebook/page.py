"""A run's summary as HTML for notebooks; names are escaped by the template engine."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template

from tlm.config.layers import LoadedChip
from tlm.quantity_text import energy_text, nbytes_text, time_text
from tlm.trace.summary import EnergyPart, Summary

# Colours of Okabe and Ito (2008), those of the figures, for the states of an engine.
STATES = {
    "compute": ("computes", "#0072B2"),
    "dram": ("waits for DRAM", "#D55E00"),
    "noc": ("waits for NoC", "#CC79A7"),
    "writeback": ("waits for write-back", "#009E73"),
    "dependency": ("waits for other work", "#F0E442"),
    "not_begun": ("phase not begun", "#56B4E9"),
    "idle": ("idle", "#BDBDBD"),
}


def summary_html(summary: Summary, chip: LoadedChip, folder: Path) -> str:
    """A self-contained block of HTML; ``folder`` is where the reader is told to look."""
    return _template().render(
        summary=summary,
        states=STATES,
        energies=_energies(summary.energy),
        assumed=len(chip.assumed),
        folder=folder,
        power_w=summary.energy.total_pj / summary.time.makespan_ps,
    )


def _energies(energy: EnergyPart) -> list[tuple[str, float]]:
    """Energy in pJ by component and of all leakage, largest first."""
    parts = [*energy.by_component_pj.items(), ("leakage", energy.leakage_pj)]
    return sorted(parts, key=lambda part: -part[1])


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters |= {
        "time": time_text,
        "energy": energy_text,
        "bytes": nbytes_text,
        "percent": lambda share: f"{abs(share):.1%}",
        "mean": lambda values: sum(values) / len(values),
    }
    return environment.from_string(Path(__file__).with_name("summary.html").read_text("utf-8"))
