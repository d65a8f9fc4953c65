"""`counterfactual`: what it prints is what it ran."""

import json

import pytest

from tlm.cli import main


def test_counterfactual_sets_three_runs_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    """Recorded, dense and ANN with their phases, the drawn runs, and a break-even or none."""
    assert main(["counterfactual", "digits", "--density", "0.1", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    runs = figures["runs"]
    assert list(runs) == ["recorded", "dense", "ann"]
    assert runs["dense"]["core_pj"] > runs["recorded"]["core_pj"]
    assert set(runs["ann"]["phase_pj"]) == set(runs["ann"]["span_ps"])
    assert [row["density"] for row in figures["drawn"]] == [0.1]
    assert set(figures["break_even_density"]) == {"time", "energy", "energy of the cores"}
