"""``python -m benchmarks [PART ...] [--repeats N] [--page]``: measure parts, write the page.

Without words all parts are measured but for optional ones. Measurements go to
``docs/studies/benchmarks.csv``, a row for each process; ``--page`` writes the page from all rows
there. A peer that cannot be had here is told and left out.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from benchmarks.measuring import in_turn
from benchmarks.page import write
from benchmarks.peers.environment import Unavailable
from benchmarks.rows import RESULTS
from benchmarks.works import OPTIONAL, PARTS
from tests.evidence.page import update_csv

REPEATS = 3


def measure_part(part: str, repeats: int) -> None:
    """Keep each row at once, since some take minutes."""
    for row in in_turn(PARTS[part](), 1 if part in OPTIONAL else repeats):
        figures = asdict(row)
        if row.built_cpu_s is None:
            figures["built_cpu_s"] = ""
        update_csv(RESULTS, ("work", "program", "repeat"), [figures])
        print(f"{row.work}, {row.program}: {row.work_cpu_s:.3f} of {row.cpu_s:.2f} CPU-s, "
              f"{row.amount:,.0f} done", file=sys.stderr)  # fmt: skip


def main() -> None:
    """Measure what is asked, part by part."""
    usual = [part for part in PARTS if part not in OPTIONAL]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"{', '.join(usual)}; once and only by name: {', '.join(OPTIONAL)}",
    )
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--page", action="store_true", help="write the page as well, or alone")
    options = parser.parse_args()
    unknown = sorted(set(options.parts) - set(PARTS))
    if unknown:
        parser.error(f"no part {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    for part in options.parts or ([] if options.page else usual):
        try:
            measure_part(part, options.repeats)
        except Unavailable as error:
            print(f"{part}: not measured: {error}", file=sys.stderr)
    if options.page:
        write()


if __name__ == "__main__":
    main()
