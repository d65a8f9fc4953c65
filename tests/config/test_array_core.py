"""Tables of inference cores: read, or refused in a line."""

from pathlib import Path

import pytest

from tests.evidence.spreads import spreads
from tlm.config.tables.array_core import array_core_tables, load_array_core
from tlm.errors import ConfigError


def test_the_tables_that_ship() -> None:
    """SpinAPS, its twin, and one with the smaller cell; every parameter says that it is assumed."""
    assert array_core_tables() == ["spinaps", "spinaps-aggressive", "spinaps-sram"]
    core, twin = load_array_core("spinaps"), load_array_core("spinaps-sram")
    assert (core.technology, twin.technology) == ("stt-ram", "sram")
    parameters = spreads(core)
    assert len(parameters) == 28
    assert {spread.confidence for spread in parameters.values()} == {"assumed"}
    assert spreads(twin) == parameters


def test_a_mistake_is_named(tmp_path: Path) -> None:
    """A core of one's own extends one that ships; a range out of order is refused."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: spinaps\nname: mine\n"
        "clock: {value: 1 GHz, low: 2 GHz, high: 3 GHz, source: mine, confidence: assumed}\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError, match="clock: expected low <= value <= high"):
        load_array_core(path)
    with pytest.raises(ConfigError, match=r"did you mean \"spinaps\""):
        load_array_core("spinap")
