"""Inference accelerators of others: read, derived figures by hand, refusals."""

from pathlib import Path

import pytest

from tlm.config.tables.inference_chip import inference_chips, load_inference_chip
from tlm.errors import ConfigError


def test_those_that_ship() -> None:
    """Four, each with its source and with what is missing."""
    names = ["reconfigurable-pynq", "spiker-artix7", "spiker-plus-mnist", "spiker-plus-shd"]
    assert inference_chips() == names
    for name in names:
        chip = load_inference_chip(name)
        assert chip.name == name
        assert chip.missing and "arXiv" in chip.source


def test_derived_figures_by_hand() -> None:
    """180 mW in 780 us; 13 mJ as stated; 1.54 W at 38.4 GOPS."""
    spiker_plus = load_inference_chip("spiker-plus-mnist")
    assert spiker_plus.energy_pj == pytest.approx(140.4e6)
    assert spiker_plus.pj_per_operation is None
    assert load_inference_chip("spiker-artix7").energy_pj == 13e9
    pynq = load_inference_chip("reconfigurable-pynq")
    assert pynq.pj_per_operation == pytest.approx(40.104, rel=1e-4)
    assert pynq.energy_pj is None


def test_a_mistake_is_named(tmp_path: Path) -> None:
    """An unknown figure, with the nearest that there is."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        "schema_version: 1\nname: mine\ntask: MNIST\nsource: mine\n"
        "stated: {latencies: 1 ms}\nmissing: []\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError, match=r"unknown key; did you mean .*stated\.latency"):
        load_inference_chip(path)
