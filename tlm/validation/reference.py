"""Reading the reference tables, and the statistics of errors."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from tlm.errors import ConfigError
from tlm.files import read_regular

MAX_BYTES = 64 << 20
REFERENCE = Path(__file__).resolve().parents[2] / "traces" / "reference"

ReferenceRow = dict[str, str]


def read_table(path: Path) -> list[ReferenceRow]:
    """The rows of a CSV file.

    Raises:
        ConfigError: there is no such file, or it is no table.
    """
    try:
        text = read_regular(path, MAX_BYTES).decode("utf-8")
        return list(csv.DictReader(StringIO(text, newline=""), restval=""))
    except (ValueError, csv.Error) as error:
        raise ConfigError(
            f"--reference: {path}: {error}; reference curves come with the repository, "
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
