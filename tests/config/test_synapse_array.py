"""Tables of synapse arrays: read, or refused in a line."""

from pathlib import Path

import pytest

from tlm.config.tables.synapse_array import (
    ARRAY_FOLDER,
    load_synapse_array,
    synapse_array_tables,
)
from tlm.errors import ConfigError

TEXT = (ARRAY_FOLDER / "nvsim32.yaml").read_text(encoding="utf-8")


def test_the_table_that_ships() -> None:
    """By its name; SRAM does not wear."""
    assert synapse_array_tables() == ["nvsim32"]
    table = load_synapse_array()
    assert list(table.technologies) == ["sram", "stt-ram", "stt-ram-aggressive"]
    assert table.technologies["sram"].endurance is None


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("wire: {value: 0.192 pJ", "wire: {value: 0.192", "wire.value: expected an energy with"),
        ("wire: {value: 0.192 pJ", "wire: {value: 1 pJ", "wire: expected low <= value <= high"),
        ("feature_nm: 32", "feature_nm: 0", "feature_nm: expected more than 0.0, got 0"),
        ("cell_f2: {value: 54,", "cell_f2: {values: 54,", "stt-ram.cell_f2.value: missing"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, line: str) -> None:
    """File and key, and what was expected."""
    assert TEXT.count(old) == 1
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_synapse_array(path)
    assert line in str(caught.value)
    assert str(path) in str(caught.value)
