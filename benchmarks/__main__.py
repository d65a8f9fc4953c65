"""``python -m benchmarks [PART ...] [--repeats N] [--page]``: measure parts, write the page.

Without words all parts are measured. Measurements go to ``docs/studies/benchmarks.csv``, a row for
each process; ``--page`` writes the page from all rows there.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from benchmarks.measuring import in_turn
from benchmarks.page import RESULTS, write
from benchmarks.works import PARTS
from tests.evidence.page import update_csv

REPEATS = 3


def main() -> None:
    """Measure what is asked; keep each row at once, since some take minutes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--page", action="store_true", help="write the page as well, or alone")
    options = parser.parse_args()
    for part in options.parts or ([] if options.page else PARTS):
        for row in in_turn(PARTS[part](), options.repeats):
            update_csv(RESULTS, ("work", "program", "repeat"), [asdict(row)])
            print(f"{row.work}, {row.program}: {row.work_cpu_s:.3f} of {row.cpu_s:.2f} CPU-s, "
                  f"{row.amount:,.0f} done", file=sys.stderr)  # fmt: skip
    if options.page:
        write()


if __name__ == "__main__":
    main()
