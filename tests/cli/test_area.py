"""`area`: the table and its JSON agree."""

import json

import pytest

from tlm.cli import main


def test_area_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    """Components sum to the total, and the rate per area follows."""
    assert main(["area", "neuromc-1", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert sum(figures["by_component_mm2"].values()) == pytest.approx(figures["total_mm2"])
    rate = figures["peak_tflops"] / figures["total_mm2"]
    assert figures["peak_tflops_per_mm2"] == pytest.approx(rate)


def test_parts_show_their_sources(capsys: pytest.CaptureFixture[str]) -> None:
    """Every part is listed with where its area is from."""
    assert main(["area", "neuromc-1", "--parts", "--set", "core.scan_slots=8"]) == 0
    text = capsys.readouterr().out
    assert "soma" in text and "CACTI 7" in text and "TFLOPS/mm2" in text
