"""The page says what the rows say."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import page
from tests.evidence.page import update_csv

KEYS = ("work", "program", "repeat")


def test_medians_are_over_repeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow spell in one of three repeats changes nothing."""
    monkeypatch.setattr(page, "RESULTS", tmp_path / "rows.csv")
    figures = {"wall_s": 1, "peak_mib": 1, "work_cpu_s": 1, "amount": 1}
    update_csv(page.RESULTS, KEYS, (
        {"work": "w", "program": "p", "repeat": repeat, "cpu_s": cpu_s, **figures}
        for repeat, cpu_s in enumerate((2.0, 90.0, 1.0))
    ))  # fmt: skip
    assert page.medians()["w", "p"]["cpu_s"] == 2.0


def test_growth_is_the_slope_of_logarithms() -> None:
    """Quadratic time is a power of 2; the largest run gives the cost of a transaction."""
    runs = [{"amount": n, "work_cpu_s": 1e-9 * n**2} for n in (10.0, 100.0, 1000.0)]
    exponent, microseconds = page.fit(runs)
    assert exponent == pytest.approx(2)
    assert microseconds == pytest.approx(1.0)
