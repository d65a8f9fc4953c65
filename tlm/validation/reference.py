"""Reading the reference tables, and the statistics of errors."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tlm.errors import ConfigError

REFERENCE = Path(__file__).resolve().parents[2] / "traces" / "reference"

ReferenceRow = dict[str, str]


def read_table(path: Path) -> list[ReferenceRow]:
    """The rows of a CSV file.

    Raises:
        ConfigError: there is no such file.
    """
    try:
        with path.open(newline="", encoding="utf-8") as table:
            return list(csv.DictReader(table))
    except OSError as error:
        raise ConfigError(
            f"--reference: {path}: {error.strerror}; reference curves come with the repository, "
            "under traces/reference"
        ) from None


@dataclass(frozen=True, slots=True)
class Errors:
    """Absolute relative errors of a set of points: how many, median, 90th percentile, largest."""

    points: int
    median: float
    p90: float
    largest: float

    @classmethod
    def of(cls, errors: Sequence[float]) -> Errors:
        """Statistics of relative errors; all 0 without any."""
        ordered = sorted(abs(error) for error in errors)
        n = len(ordered)
        if not n:
            return cls(0, 0.0, 0.0, 0.0)
        return cls(n, ordered[n // 2], ordered[min(n - 1, n * 9 // 10)], ordered[-1])
