"""What ``map`` finds beside random mappings of a job, and how well the estimate ranks these.

``python -m tests.evidence.random_mappings [--only JOB ...] [--chip CHIP ...] [--mappings N]`` draws
and simulates, updates ``docs/studies/random_mappings.csv``, and writes its table into the page on
mappings. Times are simulated; the same seed draws the same mappings.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from tests.evidence.page import DOCS, read_csv, replace_section, update_csv
from tests.placement.agreement import CHIPS, Agreement, agreement, subject
from tlm.running.request import RunRequest
from tlm.studies.mapping_search import MappingComparison, SearchTerms, compare_mappings
from tlm.validation.markdown import table
from tlm.workload import bundled_names

RESULTS = DOCS / "studies" / "random_mappings.csv"
PAGE = DOCS / "mapping.md"
MAPPINGS = {"digits": 500, "mnist-fc": 500, "mnist-csnn": 100, "nmnist-cnn": 100}
OTHERS = 20  # mappings of a job that takes seconds to simulate

Row = dict[str, str]


def measure(job: str, chip: str, number: int, seed: int = 0) -> Row:
    """One job on one chip: its random mappings, and the comparison that ``map`` makes."""
    measured = agreement(subject(job, chip), number, seed)
    compared = compare_mappings(RunRequest(job, overrides=CHIPS[chip]), SearchTerms())
    return row(job, chip, measured, compared)


def row(job: str, chip: str, measured: Agreement, compared: MappingComparison) -> Row:
    """The figures of a job on a chip, in us and as ratios."""
    simulated_us = measured.simulated[:, 0] / 1e6
    default, best = (each.figures.time_ps / 1e6 for each in (compared.default, compared.best))
    return {
        "job": job,
        "chip": chip,
        "mappings": str(len(simulated_us)),
        "best_us": f"{simulated_us.min():.1f}",
        "median_us": f"{np.median(simulated_us):.1f}",
        "default_us": f"{default:.1f}",
        "map_us": f"{best:.1f}",
        "winner": compared.best.proposal.name,
        "spearman": f"{measured.spearman[0]:.3f}",
        "worst_error": f"{measured.worst[0]:.3f}",
    }


def section(rows: list[Row]) -> str:
    """The table of all that was measured."""
    head = ("job", "chip", "random", "best, us", "median", "default", "map", "map / best",
            "winner", "rank correlation", "worst error")  # fmt: skip
    lines = [
        (
            *(each[key] for key in ("job", "chip", "mappings", "best_us", "median_us")),
            *(each[key] for key in ("default_us", "map_us")),
            f"{float(each['map_us']) / float(each['best_us']):.2f}",
            *(each["winner"], each["spearman"], f"{float(each['worst_error']):+.0%}"),
        )
        for each in rows
    ]
    return table(head, lines)


def main(arguments: list[str]) -> None:
    """Measure some or all jobs and chips, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=bundled_names("training"), default=bundled_names("training")
    )
    parser.add_argument("--chip", nargs="+", choices=CHIPS, default=list(CHIPS))
    parser.add_argument("--mappings", type=int, help="of every job")
    parser.add_argument("--page", action="store_true", help="write the page from what is measured")
    asked = parser.parse_args(arguments)
    for job in [] if asked.page else asked.only:
        number = asked.mappings or MAPPINGS.get(job, OTHERS)
        for chip in asked.chip:
            update_csv(RESULTS, ("job", "chip"), [measure(job, chip, number)])
    replace_section(PAGE, "random mappings", section(read_csv(RESULTS)))


if __name__ == "__main__":
    main(sys.argv[1:])
