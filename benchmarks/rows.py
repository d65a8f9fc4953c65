"""The measured rows of docs/studies/benchmarks.csv, and the medians over their repeats."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from tests.evidence.page import DOCS, read_csv

RESULTS = DOCS / "studies" / "benchmarks.csv"

Figures = Mapping[str, float]
Medians = Mapping[tuple[str, str], Figures]
_FIGURES = ("cpu_s", "wall_s", "peak_mib", "work_cpu_s", "built_cpu_s", "amount")


def medians() -> Medians:
    """The median over the repeats of each figure that is told, by work and program."""
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in read_csv(RESULTS):
        groups.setdefault((row["work"], row["program"]), []).append(row)
    return {
        key: {
            name: median(float(row[name]) for row in rows)
            for name in _FIGURES
            if all(row[name] for row in rows)
        }
        for key, rows in groups.items()
    }


def rate(figures: Figures) -> float:
    """Done per CPU-second of the work alone."""
    return figures["amount"] / figures["work_cpu_s"]


def rounded(value: float) -> int:
    """To three digits: more would say more than was measured."""
    return int(float(f"{value:.2e}"))


def mib(figures: Figures) -> str:
    """Peak memory, for a table."""
    return f"{figures['peak_mib']:,.0f} MiB"
