"""The page says what the rows say."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import page, rows
from benchmarks.peers.page import comparisons, sections
from tests.evidence.page import update_csv

KEYS = ("work", "program", "repeat")


def test_medians_are_over_repeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow spell in one of three repeats changes nothing."""
    monkeypatch.setattr(rows, "RESULTS", tmp_path / "rows.csv")
    figures = {"wall_s": 1, "peak_mib": 1, "work_cpu_s": 1, "built_cpu_s": "", "amount": 1}
    update_csv(rows.RESULTS, KEYS, (
        {"work": "w", "program": "p", "repeat": repeat, "cpu_s": cpu_s, **figures}
        for repeat, cpu_s in enumerate((2.0, 90.0, 1.0))
    ))  # fmt: skip
    medians = rows.medians()["w", "p"]
    assert medians["cpu_s"] == 2.0
    assert "built_cpu_s" not in medians


def test_growth_is_the_slope_of_logarithms() -> None:
    """Quadratic time is a power of 2; the largest run gives the cost of a transaction."""
    runs = [{"amount": n, "work_cpu_s": 1e-9 * n**2} for n in (10.0, 100.0, 1000.0)]
    exponent, microseconds = page.fit(runs)
    assert exponent == pytest.approx(2)
    assert microseconds == pytest.approx(1.0)


def test_a_peer_stands_beside_the_compiled_kernel() -> None:
    """A ratio for each part of time; a peer that was not measured has no line."""
    figures = {"wall_s": 1.0, "peak_mib": 1.0, "amount": 8.0}
    measured = {
        ("synapses nmnist-cnn", "SANA-FE, simple"):
            {**figures, "work_cpu_s": 6.0, "built_cpu_s": 8.0, "cpu_s": 9.0},
        ("synapses nmnist-cnn", "compiled"):
            {**figures, "work_cpu_s": 0.5, "built_cpu_s": 2.0, "cpu_s": 3.0},
    }  # fmt: skip
    (comparison,) = comparisons(measured)
    assert comparison.ratios == {"work_cpu_s": 12.0, "built_cpu_s": 4.0, "cpu_s": 3.0}
    text = {name: "".join(lines) for name, lines in sections(measured).items()}
    assert "12.0 x | 4.0 x | 3.0 x" in text["ratios"]
    assert text["scalesim"] == "Not measured.\n"
