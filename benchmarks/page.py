"""stub"""

from tests.evidence.page import DOCS

RESULTS = DOCS / "studies" / "benchmarks.csv"


def write() -> None: ...
